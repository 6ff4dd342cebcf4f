/** @file Branches of operators that ONNX Runtime and exporters fuse: side by side they compute the same, on ONNX Runtime too. */
import { describe, expect, it } from "vitest";
import { fuseBranches } from "../../src/branches/index.ts";
import { float, int64s, type Model, tensorFromNumbers, type Value, verify } from "../../src/ir/index.ts";
import { type Layers, uniform } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { checked } from "../../src/rewrite/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import {
  type BranchNetwork,
  branchNetworks,
  type Contributed,
  contributed,
  distance,
  feedsOf,
} from "../branch-networks.ts";
import { numbers } from "./pass-graphs.ts";

const COUNT = 3;

interface Parts {
  readonly n: Layers;
  readonly op: Contributed;
  readonly x: Value;
  /** A parameter of the branch. */
  own(name: string, ...dims: readonly number[]): Value;
  /** Values that all branches share. */
  readonly shared: {
    readonly padding: Value;
    readonly past: Value;
    readonly scores: Value;
    readonly lengths: Value;
    readonly total: Value;
    readonly tables: readonly Value[];
  };
}

type Branch = (parts: Parts) => Value;

const product = ({ n, x, own }: Parts, name: string) => n.op("MatMul", [x, own(name, 8, 8)]);
const threeOf = (parts: Parts) => ["q", "k", "v"].map((name) => product(parts, name));
const apart = (n: Layers, x: Value) =>
  n.op("Transpose", [n.op("Reshape", [x, n.ints([0, 0, 2, 4])])], { perm: [0, 2, 1, 3] });
const heads = { num_heads: 2 };

/** Branches whose operators become one each; the operator that must be left once. */
const fusable: Record<string, readonly [operator: string, build: Branch]> = {
  "attention under a padding mask": [
    "MultiHeadAttention",
    (p) => p.op("MultiHeadAttention", [...threeOf(p), undefined, p.shared.padding], heads),
  ],
  "attention with a past": [
    "MultiHeadAttention",
    (p) => {
      const { past } = p.shared;
      return p.op("MultiHeadAttention", [...threeOf(p), p.own("bias", 24), undefined, undefined, past, past], heads, 3);
    },
  ],
  "attention with scores of each branch": [
    "MultiHeadAttention",
    (p) => p.op("MultiHeadAttention", [...threeOf(p), undefined, undefined, p.own("scores", 1, 2, 4, 4)], heads),
  ],
  "attention with scores of all heads": [
    "MultiHeadAttention",
    (p) => p.op("MultiHeadAttention", [...threeOf(p), undefined, undefined, p.shared.scores], heads),
  ],
  "attention over shared keys": [
    "MultiHeadAttention",
    (p) => p.op("MultiHeadAttention", [product(p, "q"), p.x, p.x, p.own("bias", 24)], { ...heads, scale: float(0.3) }),
  ],
  "packed attention over the common input": [
    "Attention",
    (p) => p.op("Attention", [p.x, p.own("qkv", 8, 24), p.own("bias", 24), p.shared.padding], heads),
  ],
  "packed attention over inputs that differ": [
    "MultiHeadAttention",
    (p) => {
      const inputs = [
        product(p, "in"),
        p.own("qkv", 8, 24),
        p.own("bias", 24),
        p.shared.padding,
        undefined,
        p.shared.scores,
      ];
      return p.op("Attention", inputs, { ...heads, unidirectional: 1 });
    },
  ],
  "packed attention without a bias": [
    "MultiHeadAttention",
    (p) => p.op("Attention", [product(p, "in"), p.own("qkv", 8, 24)], heads),
  ],
  "rotated heads": [
    "RotaryEmbedding",
    (p) => p.op("RotaryEmbedding", [product(p, "q"), ...p.shared.tables], { ...heads, rotary_embedding_dim: 4 }),
  ],
  "rotated heads apart": [
    "RotaryEmbedding",
    (p) => {
      const turned = p.op("RotaryEmbedding", [apart(p.n, product(p, "q")), ...p.shared.tables]);
      return p.n.op("Reshape", [p.n.op("Transpose", [turned], { perm: [0, 2, 1, 3] }), p.n.ints([0, 0, 8])]);
    },
  ],
  "a skip connection under a norm": [
    "LayerNormalization",
    (p) =>
      p.op("SkipLayerNormalization", [product(p, "w"), p.x, p.own("gamma", 8), p.own("beta", 8), p.own("bias", 8)]),
  ],
  "two skip connections of one input": [
    "LayerNormalization",
    (p) => {
      const y = p.op("SkipLayerNormalization", [p.x, p.x, p.own("gamma", 8), p.own("beta", 8)]);
      return p.n.op("MatMul", [y, p.own("w", 8, 8)]);
    },
  ],
  "a skip connection under a norm without a mean": [
    "SimplifiedLayerNormalization",
    (p) => p.op("SkipSimplifiedLayerNormalization", [product(p, "w"), p.x, p.own("gamma", 8), p.own("bias", 8)]),
  ],
  "a norm without a mean": [
    "SimplifiedLayerNormalization",
    (p) =>
      p.n.op("SimplifiedLayerNormalization", [product(p, "w"), p.own("gamma", 8)], { axis: -1, epsilon: float(1e-5) }),
  ],
  activations: [
    "QuickGelu",
    (p) => {
      const h = p.op("FastGelu", [p.op("BiasGelu", [product(p, "w"), p.own("b", 8)])]);
      return p.op("Gelu", [p.op("QuickGelu", [p.op("FastGelu", [h, p.own("c", 8)])])]);
    },
  ],
  "a product with a transposed weight": [
    "MatMul",
    (p) => p.op("FusedMatMul", [p.x, p.own("w", 8, 8)], { transB: 1, alpha: float(0.5) }),
  ],
};

function modelOf(branch: Branch): Model {
  return contributed((n, op) => {
    const x = n.input("x", "float32", ["batch", 4, 8]);
    const constant = (name: string, dims: readonly number[]) =>
      n.constant(
        name,
        tensorFromNumbers(
          "float32",
          dims,
          numbers(
            dims.reduce((a, b) => a * b),
            3,
          ),
        ),
      );
    const shared = {
      padding: n.constant("padding", tensorFromNumbers("int32", [2, 4], [1, 1, 1, 0, 1, 1, 0, 0])),
      past: constant("past", [2, 2, 3, 4]),
      scores: constant("scores", [1, 1, 4, 4]),
      lengths: n.constant("lengths", tensorFromNumbers("int32", [2], [3, 3])),
      total: n.constant("total", tensorFromNumbers("int32", [], [4])),
      tables: [n.constant("ids", int64s([0])), constant("cos", [6, 2]), constant("sin", [6, 2])],
    };
    const ends = Array.from({ length: COUNT }, (_, b) => {
      const scope = n.scope(`branch${b}`);
      const own = (name: string, ...dims: readonly number[]) => scope.parameter(name, dims, uniform(0.5));
      return branch({ n: scope, op, x, own, shared });
    });
    n.output(n.op("Sum", [n.op("Sum", ends), x]), "y");
  });
}

function counted(model: Model, operator: string): number {
  return model.graph.nodes.filter(({ opType }) => opType === operator).length;
}

async function onRuntime(model: Model, feeds: ReturnType<typeof feedsOf>) {
  await using session = await openSession(model, { threads: 1, stock: true });
  return await session.run(feeds);
}

describe("branches of fused operators", () => {
  it.each(Object.entries(fusable))("%s become one", async (_, [operator, branch]) => {
    const model = modelOf(branch);
    expect(verify(model)).toEqual([]);
    const { model: fused, notes = [] } = await checked(fuseBranches()).run(model);
    expect(notes.filter(({ kind }) => kind === "declined")).toEqual([]);
    expect(verify(fused)).toEqual([]);
    expect(counted(fused, operator)).toBe(1);
    const feeds = feedsOf(model, 2);
    const expected = evaluate(model, feeds);
    expect(distance(expected, evaluate(fused, feeds))).toBeLessThan(1e-12);
    expect(distance(expected, await onRuntime(fused, feeds))).toBeLessThan(1e-5);
  });

  it.each([
    "fused operators, heads of separate projections",
    "fused operators, packed projections",
    "fused convolutions",
  ] as const)("%s run on ONNX Runtime", async (name: BranchNetwork) => {
    const model = branchNetworks[name]({ branches: 3, depth: 2 });
    const { model: fused } = await fuseBranches().run(model);
    const feeds = feedsOf(model, 2);
    const expected = evaluate(model, feeds);
    for (const form of [model, fused]) expect(distance(expected, await onRuntime(form, feeds))).toBeLessThan(1e-5);
    const wide = await fuseBranches().run(branchNetworks[name]({ branches: 8, depth: 2 }));
    expect(wide.model.graph.nodes).toHaveLength(fused.graph.nodes.length);
  });
});

/** What ONNX Runtime computes and the reference evaluator does not. */
const runtimeOnly: Record<string, readonly [operator: string, build: Branch]> = {
  "packed attention with values of another width": [
    "Attention",
    (p) => {
      const sizes = { ...heads, qkv_hidden_sizes: [8, 8, 4] };
      const attended = p.op("Attention", [p.x, p.own("qkv", 8, 20), p.own("bias", 20)], sizes);
      return p.n.op("MatMul", [attended, p.own("out", 4, 8)]);
    },
  ],
  "packed attention with values of another width, over inputs that differ": [
    "MultiHeadAttention",
    (p) => {
      const sizes = { ...heads, qkv_hidden_sizes: [8, 8, 4] };
      const attended = p.op("Attention", [product(p, "in"), p.own("qkv", 8, 20), p.own("bias", 20)], sizes);
      return p.n.op("MatMul", [attended, p.own("out", 4, 8)]);
    },
  ],
  "attention of groups that share keys": [
    "GroupQueryAttention",
    (p) => {
      const wide = (name: string, width: number) => p.n.op("MatMul", [p.x, p.own(name, 8, width)]);
      const { lengths, total } = p.shared;
      const inputs = [wide("q", 32), wide("k", 16), wide("v", 16), undefined, undefined, lengths, total];
      const attended = p.op("GroupQueryAttention", inputs, { num_heads: 4, kv_num_heads: 2 }, 3);
      return p.n.op("MatMul", [attended, p.own("out", 32, 8)]);
    },
  ],
  "attention over keys whose heads are apart": [
    "MultiHeadAttention",
    (p) => p.op("MultiHeadAttention", [product(p, "q"), apart(p.n, product(p, "k")), apart(p.n, p.x)], heads),
  ],
};

it.each(Object.entries(runtimeOnly))("%s becomes one on ONNX Runtime", async (_, [operator, branch]) => {
  const model = modelOf(branch);
  const { model: fused, notes = [] } = await checked(fuseBranches()).run(model);
  expect(notes.filter(({ kind }) => kind === "declined")).toEqual([]);
  expect(counted(fused, operator)).toBe(1);
  const feeds = feedsOf(model, 2);
  expect(distance(await onRuntime(model, feeds), await onRuntime(fused, feeds))).toBeLessThan(1e-5);
});

/** What ends a fusion, and why. */
const declinedBranches: Record<string, readonly [reason: RegExp, build: Branch]> = {
  "a padding mask of each branch": [
    /padding mask that differs/,
    (p) => {
      const padding = p.n.op("Cast", [p.n.op("Greater", [p.own("mask", 2, 4), p.n.number(0)])], { to: 6 });
      return p.op("MultiHeadAttention", [...threeOf(p), undefined, padding], heads);
    },
  ],
  "one row of scores for all heads, of each branch": [
    /scores that cannot/,
    (p) => p.op("MultiHeadAttention", [...threeOf(p), undefined, undefined, p.own("scores", 1, 1, 4, 4)], heads),
  ],
  "a past of an input of each branch": [
    /a past of its own input/,
    (p) => {
      const past = p.n.op("Unsqueeze", [p.shared.past, p.n.ints([0])]);
      const both = p.n.op("Concat", [past, past], { axis: 0 });
      return p.op("Attention", [product(p, "in"), p.own("qkv", 8, 24), p.own("bias", 24), undefined, both], heads, 2);
    },
  ],
  "an operator without a rule": [
    /no rule lays Trilu/,
    (p) => p.n.op("Trilu", [p.op("MultiHeadAttention", threeOf(p), heads)]),
  ],
};

it.each(Object.entries(declinedBranches))("%s ends a fusion by name", async (_, [reason, branch]) => {
  const model = modelOf(branch);
  const { model: fused, notes = [] } = await fuseBranches().run(model);
  const reasons = notes.filter(({ kind }) => kind === "declined").map(({ reason: text }) => text);
  expect([...new Set(reasons)]).toEqual([expect.stringMatching(reason)]);
  expect(verify(fused)).toEqual([]);
  const feeds = feedsOf(model, 2);
  expect(distance(await onRuntime(model, feeds), await onRuntime(fused, feeds))).toBeLessThan(1e-5);
});

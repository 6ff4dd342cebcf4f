import { describe, expect, it } from "vitest";
import {
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  model,
  tensor,
  tensorFromNumbers,
} from "../ir/index.ts";
import type { Pass } from "../rewrite/index.ts";
import { eliminateDropout } from "./eliminate-dropout.ts";
import { eliminateNoop } from "./eliminate-noop.ts";
import { eliminateCommonSubexpressions, eliminateDeadNodes, eliminateIdentity, freezeInitializers } from "./index.ts";

function build(make: (g: GraphBuilder) => void, opset = 21): Model {
  const g = graphBuilder();
  make(g);
  return model(g.build(), { opsets: new Map([["", opset]]) });
}

async function opsAfter(pass: Pass, before: Model): Promise<string[]> {
  const { model: after } = await pass.run(before);
  return after.graph.nodes.map(({ opType }) => opType);
}

async function declines(pass: Pass, before: Model): Promise<string[]> {
  const { notes = [] } = await pass.run(before);
  return notes.filter(({ kind }) => kind === "declined").map(({ reason }) => reason);
}

describe("eliminate-identity", () => {
  it("keeps the one between an input and an output, and says so", async () => {
    const before = build((g) => g.output(g.op("Identity", [g.input("x", "float32", [1])])));
    expect((await eliminateIdentity().run(before)).model).toBe(before);
    expect(await declines(eliminateIdentity(), before)).toEqual([expect.stringContaining("keeps its name")]);
  });
});

describe("eliminate-dropout", () => {
  const dropout = (training: boolean, mask: boolean) =>
    build((g) => {
      const inputs = [
        g.op("Relu", [g.input("x", "float32", [4])]),
        g.constant("ratio", tensor("float32", [], [0.5])),
        g.constant("training", tensor("bool", [], [training ? 1 : 0])),
      ];
      const [y, m] = g.ops("Dropout", inputs, 2);
      g.output(g.op("Neg", [y]));
      if (mask) g.output(m, "mask");
    });

  it("removes one that is off", async () => {
    expect(await opsAfter(eliminateDropout(), dropout(false, false))).toEqual(["Relu", "Neg"]);
  });

  it.each([
    ["trains", dropout(true, false), /training mode/],
    ["gives its mask", dropout(false, true), /mask/],
  ])("keeps one that %s", async (_, before, reason) => {
    expect(await opsAfter(eliminateDropout(), before)).toContain("Dropout");
    expect(await declines(eliminateDropout(), before)).toEqual([expect.stringMatching(reason)]);
  });
});

describe("eliminate-noop", () => {
  it("keeps x + 0, which turns -0 into 0, and a reshape that a zero makes relative", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", ["n", "m", 6]);
      g.output(g.op("Neg", [g.op("Add", [x, g.constant("zero", tensor("float32", [], [0]))])]));
      const flat = g.op("Reshape", [x, g.constant("flat", int64s([-1, 6]))]);
      g.output(g.op("Reshape", [flat, g.constant("same", int64s([0, 3, 2]))]));
    });
    expect((await eliminateNoop().run(before)).model).toBe(before);
  });

  it("keeps a cast that loses digits before it gains them", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", [2]);
      g.output(g.op("Cast", [g.op("Cast", [x], { to: 10 })], { to: 1 }));
    });
    expect((await eliminateNoop().run(before)).model).toBe(before);
  });

  it("takes a chain of forty transposes to one", async () => {
    const before = build((g) => {
      let x = g.input("x", "float32", [2, 3, 4]);
      for (let i = 0; i < 40; i++) x = g.op("Transpose", [x], { perm: [1, 2, 0] });
      g.output(x);
    });
    const { model: after } = await eliminateNoop().run(before);
    expect(after.graph.nodes).toMatchObject([{ opType: "Transpose" }]);
    expect(after.graph.nodes[0]?.attributes.get("perm")).toEqual({ type: "ints", value: [1n, 2n, 0n] });
  });
});

describe("eliminate-common-subexpressions", () => {
  it("merges neither random numbers nor parameters of the same content", async () => {
    const before = build((g) => {
      const draw = () => g.op("RandomNormal", [], { shape: [4], dtype: 1 });
      const bias = (name: string) => g.constant(name, tensorFromNumbers("float32", [4], [0, 0, 0, 0]));
      g.output(g.op("Add", [g.op("Add", [draw(), bias("a")]), g.op("Add", [draw(), bias("b")])]));
    });
    const pass = eliminateCommonSubexpressions();
    expect((await pass.run(before)).model).toBe(before);
    const tied = (await eliminateCommonSubexpressions(() => true).run(before)).model;
    expect(tied.graph.initializers.size).toBe(1);
  });

  it("tells attributes apart, 0 from -0 included", async () => {
    const before = build((g) => {
      const x = g.input("x", "float32", [4]);
      const elu = (alpha: number) => g.op("Elu", [x], { alpha: { type: "float", value: alpha } });
      g.output(g.op("Sum", [elu(0), elu(-0), elu(1)]));
    });
    expect((await eliminateCommonSubexpressions().run(before)).model).toBe(before);
  });
});

describe("eliminate-dead-nodes", () => {
  it("keeps what only a subgraph reads, and clears inside it", async () => {
    const before = build((g) => {
      const kept = g.op("Relu", [g.input("x", "float32", [4])]);
      const branch = () => {
        const inner = g.subgraph();
        inner.op("Exp", [kept]);
        inner.output(inner.op("Neg", [kept]));
        return graphAttribute(inner.build());
      };
      const condition = g.constant("condition", tensor("bool", [], [1]));
      g.output(g.op("If", [condition], { then_branch: branch(), else_branch: branch() }));
    });
    const { model: after, notes = [] } = await eliminateDeadNodes().run(before);
    expect(after.graph.nodes.map(({ opType }) => opType)).toEqual(["Relu", "If"]);
    const held = after.graph.nodes[1]?.attributes.get("else_branch");
    expect(held?.type === "graph" && held.value.nodes.map(({ opType }) => opType)).toEqual(["Neg"]);
    expect(notes).toHaveLength(2);
  });

  it("lets go of optional outputs but not of required ones", async () => {
    const before = build((g) => {
      const [, indices] = g.ops("MaxPool", [g.input("x", "float32", [1, 1, 4, 4])], 2, { kernel_shape: [2, 2] });
      const [values] = g.ops("TopK", [g.input("z", "float32", [4]), g.constant("k", int64s([2]))], 2);
      g.output(indices);
      g.output(values);
    });
    expect((await eliminateDeadNodes().run(before)).model).toBe(before);
  });
});

describe("freeze-initializers", () => {
  it("takes defaults from the inputs", async () => {
    const before = build((g) =>
      g.output(g.op("Add", [g.input("x", "float32", [1]), g.constant("w", tensor("float32", [1], [2]))])),
    );
    const open = {
      ...before,
      graph: { ...before.graph, inputs: [...before.graph.inputs, ...before.graph.initializers.keys()] },
    };
    const { model: after, notes = [] } = await freezeInitializers().run(open);
    expect(after.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
    expect(notes.map(({ nodes }) => nodes)).toEqual([["w"]]);
  });
});

/** @file Every gate: weights as declared, choices that differ, order of tokens without influence, gradients where they belong. */
import { describe, expect, it } from "vitest";
import {
  decisionTree,
  fitTree,
  type Gate,
  type GateName,
  gates,
  mlpExpert,
  moeLayer,
  moeTraining,
  withoutSideOutputs,
} from "../../src/conditional/index.ts";
import { random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { type Layers, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { sgd, trainingStep } from "../../src/train/index.ts";

const TOKENS = 24;
const WIDTH = 6;
const EXPERTS = 4;

const noise = random(11);
const x = tensorFromNumbers(
  "float32",
  [TOKENS, WIDTH],
  Array.from({ length: TOKENS * WIDTH }, () => noise.normal()),
);
const ids = tensorFromNumbers(
  "int64",
  [TOKENS],
  Array.from({ length: TOKENS }, (_, i) => (7 * i) % 10),
);
const tree = fitTree(numbersOf(x), WIDTH, { depth: 2 });

interface Case {
  readonly gate: Gate;
  /** The sum of a token's weights; a range where it varies. */
  readonly sum: readonly [number, number];
  /** Whether the place of a token decides. */
  readonly ordered?: boolean;
  /** Whether tokens of other samples decide with. */
  readonly joint?: boolean;
}

const cases: Record<GateName, Case> = {
  soft: { gate: gates.soft(), sum: [1, 1] },
  score: { gate: gates.score(), sum: [1, 1] },
  "top-k": { gate: gates["top-k"](), sum: [1, 1] },
  "noisy-top-k": { gate: gates["noisy-top-k"]({ k: 2 }), sum: [1, 1] },
  switch: { gate: gates.switch(), sum: [1 / EXPERTS, 1] },
  gshard: { gate: gates.gshard(), sum: [1, 1] },
  "expert-choice": { gate: gates["expert-choice"](), sum: [0, 1], joint: true },
  "soft-slots": { gate: gates["soft-slots"]({ slots: 2 }), sum: [1, 1] },
  "sigmoid-bias": { gate: gates["sigmoid-bias"](), sum: [1, 1] },
  cosine: { gate: gates.cosine(), sum: [1 / EXPERTS, 1] },
  hierarchical: { gate: gates.hierarchical({ groups: 2, groupsPerToken: 1 }), sum: [1 / 2, 1] },
  "locality-hash": { gate: gates["locality-hash"](), sum: [1, 1] },
  "token-hash": { gate: gates["token-hash"](), sum: [1, 1] },
  "random-fixed": { gate: gates["random-fixed"](), sum: [1, 1] },
  "round-robin": { gate: gates["round-robin"](), sum: [1, 1], ordered: true },
  task: { gate: gates.task({ experts: [3, 1, 2, 0, 1, 1, 2, 3, 0, 2] }), sum: [1, 1] },
  "decision-tree": { gate: decisionTree(tree), sum: [1, 1] },
};

/** What the gate decides, as outputs. */
function decided(gate: Gate): Model {
  return network(random(3), (n) => {
    const tokens = n.input("x", "float32", ["tokens", WIDTH]);
    const given = n.input("ids", "int64", ["tokens"]);
    const { routing } = gate.build(n, { tokens, ids: given }, EXPERTS);
    for (const [key, value] of Object.entries(routing)) if (typeof value === "object") n.output(value, key);
  });
}

function layered(gate: Gate): Model {
  const build = (n: Layers) => {
    const tokens = n.input("x", "float32", ["tokens", WIDTH]);
    const given = n.input("ids", "int64", ["tokens"]);
    const expert = mlpExpert({ hidden: 5, activation: "Tanh" });
    n.output(moeLayer(n.scope("moe"), tokens, { gate, expert, experts: EXPERTS, ids: given }), "y");
  };
  return network(random(3), build);
}

function ofSamples(gate: Gate, inner: readonly number[]): Model {
  return network(random(3), (n) => {
    const samples = n.input("x", "float32", ["batch", ...inner, WIDTH]);
    const given = n.input("ids", "int64", ["batch", ...inner]);
    const expert = mlpExpert({ hidden: 5, activation: "Tanh" });
    n.output(moeLayer(n.scope("moe"), samples, { gate, expert, experts: EXPERTS, axis: -1, ids: given }), "y");
  });
}

function run(model: Model, feeds: Record<string, Tensor>): Map<string, Tensor> {
  const used = model.graph.inputs.map(({ name }): [string, Tensor] => [name, feeds[name]!]);
  return evaluate(model, new Map(used));
}

const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

/** The sum of each token's weights. */
function sums(results: Map<string, Tensor>): number[] {
  const weights = list(results.get("weights") ?? results.get("combine"));
  if (results.has("tokens")) {
    const total = new Array<number>(TOKENS).fill(0);
    for (const [i, token] of list(results.get("tokens")).entries()) total[token] = total[token]! + weights[i]!;
    return total;
  }
  const width = weights.length / TOKENS;
  return Array.from({ length: TOKENS }, (_, t) => weights.slice(t * width, (t + 1) * width).reduce((a, b) => a + b));
}

const reversed = (tensor: Tensor): Tensor => {
  const width = tensor.dims.slice(1).reduce((a, b) => a * b, 1);
  const rows = Array.from({ length: TOKENS }, (_, t) => list(tensor).slice(t * width, (t + 1) * width));
  return tensorFromNumbers(tensor.dtype, tensor.dims, rows.toReversed().flat());
};

describe.each(Object.entries(cases))("gate %s", (name, { gate, sum, ordered, joint }) => {
  const results = run(decided(gate), { x, ids });

  it("weighs as it declares", () => {
    expect(gate.name).toBe(name);
    for (const total of sums(results)) {
      expect(total).toBeGreaterThan(sum[0] - 1e-6);
      expect(total).toBeLessThan(sum[1] + 1e-6);
    }
  });

  it("chooses experts that are there, each once", () => {
    const chosen = results.get("experts");
    if (!chosen) return void expect(["soft", "soft-slots", "expert-choice"]).toContain(name);
    const k = chosen.dims[1]!;
    for (let t = 0; t < TOKENS; t++) {
      const row = list(chosen).slice(t * k, (t + 1) * k);
      expect(new Set(row).size).toBe(k);
      expect(row.every((expert) => expert >= 0 && expert < EXPERTS)).toBe(true);
    }
  });

  it("gives a token the same answer wherever it stands", () => {
    if (ordered) return void expect(name).toBe("round-robin");
    const model = layered(gate);
    expect(verify(model)).toEqual([]);
    const straight = run(model, { x, ids }).get("y")!;
    const turned = run(model, { x: reversed(x), ids: reversed(ids) }).get("y")!;
    list(reversed(turned)).forEach((value, i) => void expect(value).toBeCloseTo(list(straight)[i]!, 5));
  });

  it.each([[3], [2, 3]])("answers samples of %s… tokens as if each were alone", (...inner) => {
    if (ordered || joint) return void expect(["round-robin", "expert-choice"]).toContain(name);
    const each = inner.reduce((a, b) => a * b, 1);
    const model = ofSamples(gate, inner);
    expect(verify(model)).toEqual([]);
    const feeds = (from: number, to: number): Record<string, Tensor> => ({
      x: tensorFromNumbers(
        "float32",
        [to - from, ...inner, WIDTH],
        list(x).slice(from * each * WIDTH, to * each * WIDTH),
      ),
      ids: tensorFromNumbers("int64", [to - from, ...inner], list(ids).slice(from * each, to * each)),
    });
    const together = list(run(model, feeds(0, TOKENS / each)).get("y"));
    const alone = Array.from({ length: TOKENS / each }, (_, i) => list(run(model, feeds(i, i + 1)).get("y"))).flat();
    expect(alone).toHaveLength(together.length);
    alone.forEach((value, i) => void expect(value).toBeCloseTo(together[i]!, 9));
  });

  it("is trained exactly when it is learnable", () => {
    const model = layered(gate);
    const { terms, carry } = moeTraining(model);
    const step = trainingStep(model, { loss: "meanSquaredError", terms, carry, optimizer: sgd(), output: "y" });
    const trained = step.state.filter(({ name: of, kind }) => kind === "parameter" && of.includes("gate/"));
    expect(trained.length > 0).toBe(gate.learnable);
    const target = tensorFromNumbers(
      "float32",
      [TOKENS, WIDTH],
      Array.from({ length: TOKENS * WIDTH }, (_, i) => Math.sin(i)),
    );
    const feeds = {
      x,
      ids,
      [step.labels!]: target,
      [step.learningRate]: tensorFromNumbers("float32", [], [1]),
      [step.step]: tensorFromNumbers("int64", [], [1]),
      ...(step.maskKey && { [step.maskKey]: tensorFromNumbers("uint32", [2], [3, 4]) }),
      ...Object.fromEntries(step.state.map(({ name: of, initial }) => [of, initial])),
    };
    const next = run(step.model, feeds);
    for (const { name: of, output, initial } of trained) {
      const moved = list(next.get(output)).map((value, i) => Math.abs(value - list(initial)[i]!));
      expect(Math.max(...moved), of).toBeGreaterThan(0);
    }
  });

  it("leaves an inference model without what only training reads", async () => {
    const bare = await withoutSideOutputs(layered(gate));
    expect(bare.graph.outputs.map((output) => output.name)).toEqual(["y"]);
    expect(list(run(bare, { x, ids }).get("y"))).toEqual(list(run(layered(gate), { x, ids }).get("y")));
  });
});

describe("gates", () => {
  it("refuse more choices than experts, capacities of nothing, ids that are missing", () => {
    expect(() => decided(gates["top-k"]({ k: EXPERTS + 1 }))).toThrow(UsageError);
    expect(() => decided(gates["top-k"]({ k: 0 }))).toThrow(/1 to 4/);
    expect(() => decided(gates["expert-choice"]({ factor: 0 }))).toThrow(/factor/);
    expect(() => decided(gates.hierarchical({ groups: 3 }))).toThrow(/divide/);
    expect(() => decided(gates.task({ experts: [9] }))).toThrow(/not there/);
    const withoutIds = () =>
      network(random(1), (n) => {
        const tokens = n.input("x", "float32", ["tokens", WIDTH]);
        gates["token-hash"]().build(n, { tokens }, EXPERTS);
      });
    expect(withoutIds).toThrow(/ids/);
    expect(() => gates.score({ select: { name: "one", count: 1, keep: (_, scores) => scores } })).toThrow(/always 1/);
  });

  const factors: readonly (readonly [string, string, (value: number) => Gate])[] = [
    ["switch", "balance", (balance) => gates.switch({ balance })],
    ["switch", "zWeight", (zWeight) => gates.switch({ zWeight })],
    ["switch", "jitter", (jitter) => gates.switch({ jitter })],
    ["top-k", "balance", (balance) => gates["top-k"]({ balance })],
    ["top-k", "zWeight", (zWeight) => gates["top-k"]({ zWeight })],
    ["noisy-top-k", "importance", (importance) => gates["noisy-top-k"]({ importance })],
    ["noisy-top-k", "load", (load) => gates["noisy-top-k"]({ load })],
    ["gshard", "balance", (balance) => gates.gshard({ balance })],
    ["gshard", "secondThreshold", (secondThreshold) => gates.gshard({ secondThreshold })],
    ["cosine", "balance", (balance) => gates.cosine({ balance })],
    ["hierarchical", "balance", (balance) => gates.hierarchical({ groups: 2, balance })],
    ["expert-choice", "factor", (factor) => gates["expert-choice"]({ factor })],
    ["sigmoid-bias", "step", (step) => gates["sigmoid-bias"]({ step })],
  ];
  it.each(factors)("%s refuses a %s that is negative or no number, by both names", (name, option, build) => {
    for (const value of [-1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => build(value)).toThrow(new RegExp(`^${option} is out of range.*gate ${name}`));
    }
    expect(build(0.5).name).toBe(name);
  });

  it.each(Object.entries(cases))("%s needs an expert, and says so under its name", (name, { gate }) => {
    const without = () =>
      network(random(1), (n) => {
        const tokens = n.input("x", "float32", ["tokens", WIDTH]);
        gate.build(n, { tokens, ids: n.input("ids", "int64", ["tokens"]) }, 0);
      });
    if (name === "score" || name === "hierarchical") return void expect(without).toThrow(UsageError);
    expect(without).toThrow(new RegExp(`needs experts.*gate ${name}`));
  });

  it("of angles begin at a temperature of 0.3", () => {
    const { graph } = decided(gates.cosine());
    const [, temperature] = [...graph.initializers].find(([value]) => value.name.endsWith("temperature"))!;
    expect(list(temperature as Tensor)[0]).toBe(Math.fround(0.3));
  });

  it("give every expert its whole share of many tokens, which rounding does not change", () => {
    // 3000 tokens for three experts, of which one is 1/3 of 2^40 rounded down and two are rounded up.
    for (const factor of [1, 2]) {
      const model = network(random(3), (n) => {
        const tokens = n.input("x", "float32", ["tokens", 1]);
        const { routing } = gates["expert-choice"]({ factor }).build(n, { tokens }, 3);
        if (routing.kind === "expert-choice") n.output(routing.tokens, "tokens");
      });
      const many = tensorFromNumbers("float32", [3000, 1], new Float32Array(3000));
      expect(run(model, { x: many }).get("tokens")!.dims).toEqual([3, 1000 * factor]);
    }
  });
});

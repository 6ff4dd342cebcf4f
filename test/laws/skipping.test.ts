/** @file Skippable layers: the export equals the gated network for samples and batches, skips what is closed, and gates learn. */
import { describe, expect, it } from "vitest";
import { exportSkipping, gatesOf, skippable, skipTerm } from "../../src/conditional/index.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import {
  editModel,
  type Model,
  makeNode,
  namesIn,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  verify,
} from "../../src/ir/index.ts";
import { conv, linear, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { fit, sgd, trainingStep } from "../../src/train/index.ts";

const LAYERS = 3;
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

/** Three layers of which the second is closed for every sample and the third for some. */
const model = network(random(1), (n) => {
  let y = n.input("input", "float32", ["batch", 2, 4, 4]);
  for (const [i, open] of [3, -3, 0].entries()) {
    const layer = n.scope(`layer${i}`);
    y = skippable(layer, y, (scope, x) => n.op("Tanh", [conv(scope.scope("conv"), x, 2, { kernel: 3 })]), { open });
  }
  n.output(linear(n.scope("head"), n.op("Flatten", [y], { axis: 1 }), 2), "logits");
});

function pictures(count: number, seed: number): Map<string, Tensor> {
  const source = random(seed);
  const values = Array.from({ length: 32 * count }, () => 20 * source.normal());
  return new Map([["input", tensorFromNumbers("float32", [count, 2, 4, 4], values)]]);
}

async function convolutions(exported: Model, feeds: Map<string, Tensor>): Promise<number> {
  await using session = await openSession(exported, { profile: true, optimization: "disabled" });
  await session.run(feeds);
  return (await session.profile()).filter(({ opType }) => opType === "Conv").length;
}

describe("skippable layers", () => {
  it("add what a layer computes where σ of the logit of the mean, noise included, is above one half", () => {
    const gateOf = (draws: readonly number[]) => {
      const built = network(random(1), (n) => {
        const x = n.input("x", "float32", ["batch", 2, 1, 2]);
        n.output(
          skippable(n, x, (scope, y) => scope.op("Mul", [y, scope.number(10)]), { open: 0.5, temperature: 0.25 }),
          "y",
        );
      });
      const graph = editModel(built, (draft) => {
        for (const [value, data] of built.graph.initializers) {
          if (value.name === "skip/weight")
            draft.setInitializer(value, tensorFromNumbers("float32", (data as Tensor).dims, [1, -2]));
        }
        // Noise is Σ 2⁻ⁱ·(dᵢ − 1) over ten numbers: with (1 + 2u, 1, …, 1) in the place of what a dropout leaves it is u.
        const dropout = built.graph.nodes.find(({ opType }) => opType === "Dropout")!;
        const value = tensorFromNumbers(
          "float32",
          [4, 1, 10],
          draws.flatMap((u) => [1 + 2 * u, ...new Array<number>(9).fill(1)]),
        );
        draft.replaceNode(dropout, makeNode("Constant", [], dropout.outputs, { name: "drawn", attributes: { value } }));
      });
      // Means (1, 0.5), (1, 1), (0, 0.5) and (2, 1): logits 0.5 + m₁ − 2·m₂ of 0.5, −0.5, −0.5 and 0.5.
      const x = tensorFromNumbers("float32", [4, 2, 1, 2], [0, 2, 0, 1, 2, 0, 1, 1, -1, 1, 1, 0, 2, 2, 1, 1]);
      const made = evaluate(graph, new Map([["x", x]]));
      const [gates, y] = [list(made.get("gate")), list(made.get("y"))];
      const expected = list(x).map((value, i) => value * (gates[Math.floor(i / 4)] === 1 ? 11 : 1));
      y.forEach((value, i) => void expect(value).toBeCloseTo(expected[i]!, 5));
      return gates;
    };
    expect(gateOf([0, 0, 0, 0])).toEqual([1, 0, 0, 1]);
    // log((1 + u) / (1 − u)) is ±0.62 at u = ±0.3 and ±0.41 at ±0.2: it turns gates only where it outweighs the logit.
    expect(gateOf([-0.3, 0.3, 0.2, -0.2])).toEqual([0, 1, 0, 1]);
  });

  it("give their gates the slope of σ(ℓ / τ), which is σ · (1 − σ) / τ", () => {
    const gated = network(random(1), (n) => {
      const x = n.input("x", "float32", ["batch", 2]);
      n.output(
        skippable(n, x, (scope, y) => scope.op("Neg", [y]), { open: 0.5, temperature: 0.25 }),
        "y",
      );
    });
    const step = trainingStep(gated, {
      terms: [{ name: "gates", build: (g, { output }) => g.op("ReduceMean", [output("gate")], { keepdims: 0 }) }],
      optimizer: sgd(),
      dropout: "off",
      trainable: ["skip/bias"],
    });
    const [bias] = step.state;
    const feeds = new Map([
      ["x", tensorFromNumbers("float32", [3, 2], new Array<number>(6).fill(0))],
      [step.learningRate, tensorFromNumbers("float32", [], [1])],
      [step.step, tensorFromNumbers("int64", [], [1])],
      [bias!.name, bias!.initial],
    ]);
    const [moved] = list(evaluate(step.model, feeds).get(bias!.output));
    // ℓ is the bias, ½; σ(2) = 0.8808.
    const share = 1 / (1 + Math.exp(-2));
    expect(moved).toBeCloseTo(0.5 - (share * (1 - share)) / 0.25, 5);
  });

  it("are pulled by the squared distance of the mean gate from the share", () => {
    const outputs = new Map([
      ["a", [1, 0, 0, 1]],
      ["b", [1, 1, 1, 0]],
    ]);
    const lossAt = (share: number) => {
      const built = network(random(1), (n) => {
        const x = n.input("x", "float32", ["batch", 1]);
        const idle = n.parameter("idle", [1], () => Float32Array.of(1));
        const gates = new Map(
          [...outputs].map(([name, values]) => [
            name,
            n.constant("value", tensorFromNumbers("float32", [4, 1], values)),
          ]),
        );
        for (const [name, value] of gates) n.output(n.op("Add", [value, n.op("Mul", [idle, n.number(0)])]), name);
        n.output(linear(n, x, 1), "y");
      });
      const step = trainingStep(built, { terms: [skipTerm(["a", "b"], share, 3)], optimizer: sgd() });
      const feeds = new Map([
        ["x", tensorFromNumbers("float32", [4, 1], [1, 2, 3, 4])],
        [step.learningRate, tensorFromNumbers("float32", [], [1])],
        [step.step, tensorFromNumbers("int64", [], [1])],
        ...step.state.map(({ name, initial }) => [name, initial] as const),
      ]);
      return list(evaluate(step.model, feeds).get(step.loss))[0];
    };
    // Five of eight gates are open: 3 · (5/8 − 1/4)², and 3 · (5/8 − 1)².
    expect(lossAt(0.25)).toBeCloseTo(3 * (3 / 8) ** 2, 6);
    expect(lossAt(1)).toBeCloseTo(3 * (3 / 8) ** 2, 6);
    expect(lossAt(0.625)).toBeCloseTo(0, 9);
  });

  it("export to a model that gives the same and leaves closed layers out", async () => {
    const exported = await exportSkipping(model);
    expect(verify(exported)).toEqual([]);
    expect(exported.graph.outputs.map(({ name }) => name)).toEqual(["logits"]);
    // What a profile or a viewer shows says what it is.
    const choices = exported.graph.nodes.filter(({ opType }) => opType === "If").map(({ name }) => name);
    expect(choices).toEqual(["skip", "skip_1", "skip_2"]);
    for (const { graph } of [model, exported]) {
      expect([...namesIn(graph)].filter((name) => /(^|\/)(_\d+)?$/.test(name))).toEqual([]);
    }
    await using session = await openSession(exported);
    const counts = new Set<number>();
    for (let seed = 1; seed <= 12; seed++) {
      const feeds = pictures(seed === 1 ? 6 : 1, seed);
      const made = evaluate(model, feeds);
      const gates = gatesOf(model).map((name) => list(made.get(name)));
      for (const gate of gates.flat()) expect([0, 1]).toContain(gate);
      const whole = list(made.get("logits"));
      expect(list(evaluate(exported, feeds).get("logits"))).toEqual(whole);
      list((await session.run(feeds)).get("logits")).forEach((x, i) => void expect(x).toBeCloseTo(whole[i]!, 3));
      const open = gates.filter((gate) => gate.includes(1)).length;
      if (!counts.has(open)) expect(await convolutions(exported, feeds)).toBe(open);
      counts.add(open);
    }
    expect(counts.size).toBeGreaterThan(1);
  });

  it("learn to compute a share of the layers", async () => {
    const gates = gatesOf(model);
    expect(gates).toHaveLength(LAYERS);
    const read = (position: number) => ({
      inputs: new Map([["input", tensorFromNumbers("float32", [2, 4, 4], list(pictures(1, position).get("input")))]]),
      label: position % 2,
      source: `${position}`,
    });
    const { model: trained } = await fit(model, {
      data: datasetOf({ size: 64, open: () => ({ read }) }),
      epochs: 6,
      batch: 16,
      terms: [skipTerm(gates, 0, 4)],
      optimizer: sgd(),
      learningRate: 0.1,
      seed: 1,
    }).result;
    const share = (of: Model) => {
      const made = evaluate(of, pictures(64, 77));
      return gates.flatMap((name) => list(made.get(name))).reduce((a, b) => a + b) / (64 * LAYERS);
    };
    expect(share(trained)).toBeLessThan(share(model) - 0.1);
  });

  it("refuse wrong use by name", async () => {
    expect(() => skipTerm([], 0.5)).toThrow(UsageError);
    expect(() => skipTerm(["gate"], 2)).toThrow(UsageError);
    const bare = network(random(1), (n) => n.output(n.input("x", "float32", ["batch", 2]), "y"));
    await expect(exportSkipping(bare)).rejects.toThrow(UsageError);
  });
});

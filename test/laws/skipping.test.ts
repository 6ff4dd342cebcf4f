/** @file Skippable layers: the export equals the gated network for samples and batches, skips what is closed, and gates learn. */
import { describe, expect, it } from "vitest";
import { exportSkipping, gatesOf, skippable, skipTerm } from "../../src/conditional/index.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { conv, linear, network } from "../../src/nn/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { evaluate } from "../../src/runtime/reference/index.ts";
import { fit, sgd } from "../../src/train/index.ts";

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
  it("export to a model that gives the same and leaves closed layers out", async () => {
    const exported = await exportSkipping(model);
    expect(verify(exported)).toEqual([]);
    expect(exported.graph.outputs.map(({ name }) => name)).toEqual(["logits"]);
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

/** @file The multi-scale dense network: its classifiers are exits as they are, and what an exit does not need is not computed. */
import { describe, expect, it } from "vitest";
import {
  chooseThresholds,
  exitCosts,
  exitsOf,
  exitTerms,
  exportEarlyExit,
  recordExits,
} from "../../src/conditional/index.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { UsageError } from "../../src/errors.ts";
import { type Model, numbersOf, type Tensor, tensorFromNumbers, verify } from "../../src/ir/index.ts";
import { msdnet } from "../../src/models/index.ts";
import { dimsOf } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { fit } from "../../src/train/index.ts";

const SIZE = 8;
const shape = {
  classifiers: 3,
  base: 2,
  step: 1,
  scales: 2,
  width: 4,
  growth: 2,
  head: 6,
  channels: 1,
  size: SIZE,
  classes: 3,
};
const model = msdnet(random(1), shape);
const exits = exitsOf(model);
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

function pictures(count: number, seed = 2): Map<string, Tensor> {
  const source = random(seed);
  const values = Array.from({ length: count * SIZE * SIZE }, () => source.normal());
  return new Map([["input", tensorFromNumbers("float32", [count, 1, SIZE, SIZE], values)]]);
}

async function convolutions(exported: Model): Promise<number> {
  await using session = await openSession(exported, { profile: true, optimization: "disabled" });
  await session.run(pictures(1));
  return (await session.profile()).filter(({ opType }) => opType === "Conv").length;
}

describe("a multi-scale dense network", () => {
  it("has the channels of the paper at every scale", () => {
    expect(verify(model)).toEqual([]);
    expect(exits).toEqual(["exit/0", "exit/1"]);
    const channels = ({ graph }: Model, path: string) => {
      const made = graph.nodes.findLast(({ name }) => name.startsWith(path) && name.endsWith("concat"))!;
      return dimsOf(made.outputs[0]!).slice(1);
    };
    // CIFAR: 16 layers, of which six have three scales, six two and four one.
    const large = msdnet({ uniform: () => 0, normal: () => 0 });
    expect(exitsOf(large)).toHaveLength(6);
    expect(["scale0", "scale1", "scale2"].map((scale) => channels(large, `layer5/${scale}`))).toEqual([
      [52, 32, 32],
      [104, 16, 16],
      [208, 8, 8],
    ]);
    // 52 + 6 channels are halved where a scale ends.
    expect(channels(large, "layer7/scale1")).toEqual([2 * (29 + 6), 16, 16]);
    expect(large.graph.nodes.some(({ name }) => /^layer6\/scale0|^layer12\/scale1/.test(name))).toBe(false);
  });

  it("trains all classifiers, and leaves at the first sure one", async () => {
    const stripes = (position: number) => {
      const source = random(9, position);
      const pixel = (i: number) =>
        Math.sin((position % 3) + 2 * (position % 3 === 1 ? i % SIZE : i >> 3)) + 0.3 * source.normal();
      const pixels = Array.from({ length: SIZE * SIZE }, (_, i) => pixel(i));
      return {
        inputs: new Map([["input", tensorFromNumbers("float32", [1, SIZE, SIZE], pixels)]]),
        label: position % 3,
        source: `${position}`,
      };
    };
    const { model: trained } = await fit(model, {
      data: datasetOf({ size: 96, open: () => ({ read: stripes }) }),
      epochs: 4,
      batch: 16,
      loss: "crossEntropy",
      output: "logits",
      terms: exitTerms({ exits }, "crossEntropy"),
      optimizer: "adam",
      learningRate: 0.02,
      seed: 1,
    }).result;
    const held = Array.from({ length: 24 }, (_, i) => stripes(500 + i));
    const pixels = held.flatMap(({ inputs }) => list(inputs.get("input")));
    const feeds = new Map([["input", tensorFromNumbers("float32", [24, 1, SIZE, SIZE], pixels)]]);
    const labels = held.map(({ label }) => label);
    const records = await recordExits(trained, [{ feeds, labels }], { exits, open: openReference });
    for (const right of records.right) expect(right.filter(Boolean).length).toBeGreaterThan(16);
    const costs = exitCosts(trained, { exits });
    expect(costs).toEqual([...costs].sort((a, b) => a - b));
    const { thresholds, cost } = chooseThresholds(records, { costs, bound: { accuracy: 0.6 } });
    expect(cost).toBeLessThan(costs[2]!);
    const exported = await exportEarlyExit(trained, { exits, thresholds });
    expect(verify(exported)).toEqual([]);
    const whole = evaluate(trained, feeds);
    await using session = await openSession(exported);
    for (let i = 0; i < 6; i++) {
      const one = new Map([
        ["input", tensorFromNumbers("float32", [1, 1, SIZE, SIZE], pixels.slice(64 * i, 64 * i + 64))],
      ]);
      const made = await session.run(one);
      const exit = thresholds.findIndex((limit, k) => records.scores[k]![i]! >= limit);
      expect(list(made.get("exit"))).toEqual([exit < 0 ? 2 : exit]);
      const right = list(whole.get(exits[exit] ?? "logits")).slice(3 * i, 3 * i + 3);
      list(made.get("logits")).forEach((value, c) => void expect(value).toBeCloseTo(right[c]!, 4));
    }
  });

  it("computes neither later layers nor fine features that an exit does not read", async () => {
    const counts = await Promise.all(
      [
        [-1, -1],
        [2, -1],
        [2, 2],
      ].map(async (thresholds) => convolutions(await exportEarlyExit(model, { exits, thresholds }))),
    );
    // Two convolutions of the stem; a layer has two at the fine scale and four at the coarse one; two before each classifier.
    // The second layer is the last with two scales of four: its fine features feed the third, which ends that scale with a transition.
    expect(counts[0]).toBe(2 + (2 + 4) + 4 + 2);
    expect(counts[0]).toBeLessThan(counts[1]!);
    expect(counts[1]).toBeLessThan(counts[2]!);
  });

  it("is refused in a shape that it cannot have", () => {
    expect(() => msdnet(random(1), { ...shape, scales: 5 })).toThrow(UsageError);
    expect(() => msdnet(random(1), { ...shape, base: 0 })).toThrow(UsageError);
    expect(() => msdnet(random(1), { ...shape, classifiers: 1, base: 1 })).toThrow(UsageError);
  });
});

/** @file Slices read in a loop: it stops at the first sure answer, gives that answer of the whole reading, and trains as a model with exits. */
import { describe, expect, it } from "vitest";
import {
  chooseThresholds,
  exitsOf,
  exitTerms,
  exportSlices,
  readSlices,
  recordExits,
  withScores,
} from "../../src/conditional/index.ts";
import { datasetOf, random } from "../../src/data/index.ts";
import { UnsupportedError, UsageError } from "../../src/errors.ts";
import {
  allNodes,
  type Model,
  namesIn,
  numbersOf,
  type Tensor,
  tensorFromNumbers,
  verify,
} from "../../src/ir/index.ts";
import { linear, network } from "../../src/nn/index.ts";
import { evaluate } from "../../src/reference/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { openReference } from "../../src/runtime/reference.ts";
import { fit } from "../../src/train/index.ts";

const [SLICES, WIDTH, CLASSES] = [5, 3, 3];
const list = (tensor: Tensor | undefined): number[] => Array.from(numbersOf(tensor!));

const model = network(random(1), (n) => {
  const logits = readSlices(n, n.input("input", "float32", ["batch", SLICES, WIDTH]), {
    width: 6,
    step: (m, slice, state) =>
      m.op("Tanh", [m.op("Add", [linear(m.scope("in"), slice, 6), linear(m.scope("on"), state, 6)])]),
    head: (m, state) => linear(m, state, CLASSES),
  });
  n.output(logits, "logits");
});
const exits = exitsOf(model);

function sequences(count: number, seed = 4): Map<string, Tensor> {
  const source = random(seed);
  const values = Array.from({ length: count * SLICES * WIDTH }, () => 2 * source.normal());
  return new Map([["input", tensorFromNumbers("float32", [count, SLICES, WIDTH], values)]]);
}

/** One sequence of a batch. */
function only(feeds: Map<string, Tensor>, i: number): Map<string, Tensor> {
  const size = SLICES * WIDTH;
  const values = list(feeds.get("input")).slice(i * size, (i + 1) * size);
  return new Map([["input", tensorFromNumbers("float32", [1, SLICES, WIDTH], values)]]);
}

describe("slices", () => {
  it("are answered after each, as by the steps written out", () => {
    expect(verify(model)).toEqual([]);
    expect(exits).toEqual(["exit/0", "exit/1", "exit/2", "exit/3"]);
    const written = network(random(1), (n) => {
      const x = n.input("input", "float32", ["batch", SLICES, WIDTH]);
      const named = (name: string) => {
        const found = [...model.graph.initializers].find(([value]) => value.name === name)!;
        return n.statistic(name, found[1] as Tensor);
      };
      const [w, b, r, c] = ["in/weight", "in/bias", "on/weight", "on/bias"].map((name) => named(`step/${name}`));
      const [v, d] = ["weight", "bias"].map((name) => named(`head/${name}`));
      let state = n.op("MatMul", [
        n.op("Squeeze", [n.op("Slice", [x, n.ints([0]), n.ints([1]), n.ints([1])]), n.ints([1])]),
        w!,
      ]);
      state = n.op("Tanh", [n.op("Add", [n.op("Add", [state, b!]), c!])]);
      n.output(n.op("Add", [n.op("MatMul", [state, v!]), d!]), "first");
      const second = n.op("Squeeze", [n.op("Slice", [x, n.ints([1]), n.ints([2]), n.ints([1])]), n.ints([1])]);
      const sum = n.op("Add", [n.op("MatMul", [second, w!]), n.op("MatMul", [state, r!])]);
      state = n.op("Tanh", [n.op("Add", [n.op("Add", [sum, b!]), c!])]);
      n.output(n.op("Add", [n.op("MatMul", [state, v!]), d!]), "second");
    });
    const [own, steps] = [evaluate(model, sequences(3)), evaluate(written, sequences(3))];
    for (const [exit, name] of [
      ["exit/0", "first"],
      ["exit/1", "second"],
    ] as const) {
      list(own.get(exit)).forEach((value, i) => void expect(value).toBeCloseTo(list(steps.get(name))[i]!, 6));
    }
  });

  it.each(["max-probability", "entropy"] as const)(
    "are read until the confidence %s is reached, and no further",
    async (confidence) => {
      const feeds = sequences(8);
      const scored = withScores(model, { exits, confidence });
      const whole = evaluate(scored.model, feeds);
      const scores = scored.scores.map((name) => list(whole.get(name)));
      const sorted = scores.flat().sort((a, b) => a - b);
      const limit = (sorted[20]! + sorted[21]!) / 2;
      const exported = await exportSlices(model, { exits, confidence, thresholds: exits.map(() => limit) });
      expect(verify(exported)).toEqual([]);
      expect([...allNodes(exported)].filter(({ opType }) => opType === "Scan")).toEqual([]);
      expect([...namesIn(exported.graph)].filter((name) => /(^|\/)(_\d+)?$/.test(name))).toEqual([]);
      await using session = await openSession(exported, { profile: true, optimization: "disabled" });
      const taken: number[] = [];
      for (let i = 0; i < 8; i++) {
        const first = scores.findIndex((own) => own[i]! >= limit);
        const exit = first < 0 ? exits.length : first;
        const right = list(whole.get(exits[exit] ?? "logits")).slice(i * CLASSES, (i + 1) * CLASSES);
        for (const made of [await session.run(only(feeds, i)), evaluate(exported, only(feeds, i))]) {
          expect(list(made.get("exit"))).toEqual([exit]);
          list(made.get("logits")).forEach((value, c) => void expect(value).toBeCloseTo(right[c]!, 5));
        }
        taken.push(exit);
      }
      expect(new Set(taken).size).toBeGreaterThan(2);
      const calls = (await session.profile()).filter(({ opType }) => opType === "Tanh").map((node) => node.calls);
      expect(calls).toEqual([taken.reduce((sum, exit) => sum + exit + 1, 0)]);
    },
  );

  it("are all read, or only the first, at extreme thresholds, and by a batch as long as one sample needs", async () => {
    const feeds = sequences(8);
    const whole = evaluate(model, feeds);
    const at = async (thresholds: readonly number[]) =>
      evaluate(await exportSlices(model, { exits, thresholds }), feeds);
    for (const [limit, output] of [
      [Number.POSITIVE_INFINITY, "logits"],
      [-1, "exit/0"],
    ] as const) {
      list((await at(exits.map(() => limit))).get("logits")).forEach((value, i) => {
        expect(value).toBeCloseTo(list(whole.get(output))[i]!, 6);
      });
    }
    expect(list((await at([2, 2, -1, -1])).get("exit"))).toEqual([2]);
  });

  it("train as exits do, and get their thresholds from what was recorded", async () => {
    // The class is the largest sum over the slices.
    const read = (position: number) => {
      const values = list(sequences(1, position).get("input"));
      const sums = [0, 1, 2].map((c) => values.filter((_, i) => i % WIDTH === c).reduce((a, b) => a + b));
      const inputs = new Map([["input", tensorFromNumbers("float32", [SLICES, WIDTH], values)]]);
      return { inputs, label: sums.indexOf(Math.max(...sums)), source: `${position}` };
    };
    const { model: trained } = await fit(model, {
      data: datasetOf({ size: 192, open: () => ({ read }) }),
      epochs: 12,
      batch: 32,
      loss: "crossEntropy",
      output: "logits",
      terms: exitTerms({ exits }, "crossEntropy"),
      optimizer: "adam",
      learningRate: 0.03,
      seed: 1,
    }).result;
    const held = Array.from({ length: 100 }, (_, i) => read(1000 + i));
    const values = held.flatMap(({ inputs }) => list(inputs.get("input")));
    const batch = {
      feeds: new Map([["input", tensorFromNumbers("float32", [100, SLICES, WIDTH], values)]]),
      labels: held.map(({ label }) => label),
    };
    const records = await recordExits(trained, [batch], { exits, open: openReference });
    const accuracies = records.right.map((row) => row.filter(Boolean).length / 100);
    expect(accuracies.at(-1)).toBeGreaterThan(0.7);
    expect(accuracies.at(-1)).toBeGreaterThan(accuracies[0]! + 0.1);
    const bound = { accuracy: accuracies.at(-1)! - 0.02 };
    const chosen = chooseThresholds(records, { costs: [1, 2, 3, 4, 5], bound });
    expect(chosen.cost).toBeLessThan(5);
    const exported = await exportSlices(trained, { exits, thresholds: chosen.thresholds });
    const right = held.filter(({ label }, i) => {
      const logits = list(evaluate(exported, only(batch.feeds, i)).get("logits"));
      return logits.indexOf(Math.max(...logits)) === label;
    });
    expect(right.length / 100).toBeCloseTo(chosen.accuracy, 12);
  });

  it("are refused by name where they cannot be", async () => {
    const thresholds = exits.map(() => 0.5);
    await expect(exportSlices(model, { exits, thresholds: [1] })).rejects.toThrow(UsageError);
    await expect(exportSlices(model, { exits, thresholds, confidence: "patience" })).rejects.toThrow(UsageError);
    const some = exits.slice(0, 2);
    await expect(exportSlices(model, { exits: some, thresholds: [1, 1] })).rejects.toThrow(UnsupportedError);
    const other: Model = network(random(1), (n) => {
      const x = n.input("input", "float32", ["batch", WIDTH]);
      n.output(linear(n.scope("a"), x, 2), "exit/0");
      n.output(linear(n.scope("b"), x, 2), "logits");
    });
    await expect(exportSlices(other, { exits: ["exit/0"], thresholds: [1] })).rejects.toThrow(UnsupportedError);
  });
});

import { describe, expect, it } from "vitest";
import { type DataType, graphBuilder, model, numbersOf, tensorFromNumbers } from "../../ir/index.ts";
import { builderInference } from "../../ops/index.ts";
import { evaluate } from "../../reference/index.ts";
import { stepBuilder } from "../step/step-builder.ts";
import {
  crossEntropy,
  focal,
  huber,
  klDivergence,
  type Loss,
  type LossName,
  losses,
  lossOf,
  softCrossEntropy,
} from "./index.ts";

/** The loss of rows of numbers, each result rounded to the dtype. */
function lossAt(loss: Loss, rows: readonly (readonly number[])[], labels: typeof rows, dtype: DataType = "float64") {
  const dims = [rows.length, rows[0]!.length];
  const g = graphBuilder({ infer: builderInference(21) });
  const prediction = g.input("prediction", dtype, dims);
  const value = loss.build(stepBuilder(g), prediction, g.input("labels", dtype, dims));
  g.output(value, "loss");
  const feeds = new Map([
    ["prediction", tensorFromNumbers(dtype, dims, rows.flat())],
    ["labels", tensorFromNumbers(dtype, dims, labels.flat())],
  ]);
  return numbersOf(evaluate(model(g.build()), feeds, { precision: "declared" }).get("loss")!)[0]!;
}

const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe("a loss", () => {
  it.each<[LossName, Loss["reads"]]>([
    ["crossEntropy", "classes"],
    ["softCrossEntropy", "classes"],
    ["binaryCrossEntropy", "shares"],
    ["meanSquaredError", "numbers"],
    ["meanAbsoluteError", "numbers"],
    ["huber", "numbers"],
    ["klDivergence", "classes"],
    ["focal", "shares"],
    ["hinge", "classes"],
  ])("%s has the name under which it is asked for, and says that its labels are %s", (name, reads) => {
    expect(lossOf(name)).toMatchObject({ name, reads });
  });

  it("of one's own, or with settings of one's own, is taken as it is", () => {
    const own = huber({ delta: 3 });
    expect(lossOf(own)).toBe(own);
    expect(Object.keys(losses)).toHaveLength(9);
  });
});

describe("focal", () => {
  it.each([0, 1, 2, 3])("counts a sample by how wrong it is to the power of %s", (gamma) => {
    // Of a positive sample 1 − p is wrong, of a negative one p.
    const [a, b] = [sigmoid(0.3), sigmoid(-1.2)];
    const expected = (-((1 - a) ** gamma) * Math.log(a) - b ** gamma * Math.log(1 - b)) / 2;
    expect(lossAt(focal({ gamma }), [[0.3, -1.2]], [[1, 0]])).toBeCloseTo(expected, 12);
  });
});

describe("softCrossEntropy", () => {
  const logs = [1, 2, 4].map((x) => x - Math.log(Math.exp(1) + Math.exp(2) + Math.exp(4)));

  it.each([0, 0.25, 1])("with smoothing %s mixes the labels with the same share for every class", (smoothing) => {
    const target = [0.5, 0.5, 0].map((y) => (1 - smoothing) * y + smoothing / 3);
    const expected = -target.reduce((sum, y, i) => sum + y * logs[i]!, 0);
    expect(lossAt(softCrossEntropy({ smoothing }), [[1, 2, 4]], [[0.5, 0.5, 0]])).toBeCloseTo(expected, 12);
  });
});

describe("crossEntropy", () => {
  it("takes every share from 0 to 1 for smoothing", () => {
    for (const smoothing of [0, 0.5, 1]) expect(() => crossEntropy({ smoothing })).not.toThrow();
    for (const smoothing of [-0.1, 1.1]) expect(() => crossEntropy({ smoothing })).toThrow(/smoothing.*0 to 1/);
  });
});

describe("klDivergence", () => {
  it.each(["float16", "float32", "float64"] as const)("takes 0·log 0 as 0 in %s", (dtype) => {
    // Two equal scores are log 2 each; the label is certain of the first.
    expect(lossAt(klDivergence(), [[1, 1]], [[1, 0]], dtype)).toBeCloseTo(Math.log(2), 2);
  });
});

import { describe, expect, it } from "vitest";
import { tensorFromNumbers } from "../../ir/index.ts";
import {
  accuracy,
  auroc,
  confusionMatrix,
  f1,
  type Metric,
  type MetricName,
  metrics,
  perplexity,
  topK,
} from "./index.ts";

const scores = [
  [2, 1, 0],
  [0, 3, 1],
  [1, 2, 3],
  [5, 4, 1],
];
const labels = [0, 1, 1, 2];

function measured(metric: Metric, cuts: readonly number[] = [4]): number {
  const state = metric.start();
  let start = 0;
  for (const end of cuts) {
    const rows = scores.slice(start, end);
    state.add(
      tensorFromNumbers("float32", [rows.length, 3], rows.flat()),
      tensorFromNumbers("int64", [rows.length], labels.slice(start, end)),
    );
    start = end;
  }
  return state.value();
}

describe.each(Object.keys(metrics) as MetricName[])("%s", (name) => {
  it("does not depend on how the samples are batched", () => {
    expect(measured(metrics[name](), [1, 3, 4])).toBeCloseTo(measured(metrics[name]()), 12);
  });

  it("is not a number before there is anything", () => {
    expect(metrics[name]().start().value()).toBeNaN();
  });
});

describe("values", () => {
  it("of accuracy and top-k", () => {
    expect(measured(accuracy())).toBe(0.5);
    expect(measured(topK({ k: 2 }))).toBe(0.75);
    expect(measured(accuracy({ ignoreIndex: 2 }))).toBeCloseTo(2 / 3, 12);
  });

  it("of F1, per class and in the mean", () => {
    expect(measured(f1({ label: 1 }))).toBeCloseTo(2 / 3, 12);
    expect(measured(f1())).toBeCloseTo((2 / 3 + 2 / 3 + 0) / 3, 12);
  });

  it("of the confusion matrix", () => {
    const matrix = confusionMatrix();
    matrix.add(tensorFromNumbers("float32", [4, 3], scores.flat()), tensorFromNumbers("int64", [4], labels));
    expect(matrix.counts).toEqual([
      [1, 0, 0],
      [0, 1, 1],
      [1, 0, 0],
    ]);
  });

  it("of the area under the curve, ties one half", () => {
    const state = auroc().start();
    state.add(
      tensorFromNumbers("float32", [5], [0.1, 0.4, 0.4, 0.8, 0.3]),
      tensorFromNumbers("float32", [5], [0, 0, 1, 1, 1]),
    );
    expect(state.value()).toBeCloseTo((1.5 + 2 + 1) / 6, 12);
  });

  it("of perplexity: uniform scores are as perplexing as there are classes", () => {
    const state = perplexity().start();
    state.add(
      tensorFromNumbers("float32", [1, 2, 4], new Array(8).fill(3)),
      tensorFromNumbers("int64", [1, 2], [0, 3]),
    );
    expect(state.value()).toBeCloseTo(4, 6);
  });

  it("of images, with the classes on axis 1", () => {
    const state = accuracy().start();
    state.add(tensorFromNumbers("float32", [1, 2, 2], [1, 0, 0, 1]), tensorFromNumbers("int64", [1, 2], [0, 1]));
    expect(state.value()).toBe(1);
  });

  it("are refused for labels that do not fit", () => {
    const add = () =>
      accuracy()
        .start()
        .add(tensorFromNumbers("float32", [1, 2], [1, 0]), tensorFromNumbers("int64", [2], [0, 1]));
    expect(add).toThrow(/labels do not fit/);
  });
});

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

  it("says its name, and which way is better", () => {
    const wordings: Record<MetricName, string> = {
      accuracy: "accuracy",
      auroc: "auroc",
      f1: "f1",
      perplexity: "perplexity",
      topK: "top5",
    };
    const higherIsBetter = name !== "perplexity";
    expect(metrics[name]()).toMatchObject({ name: wordings[name], higherIsBetter });
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

  it("of top-k are told under a name of their own for each k", () => {
    expect([1, 2, 5].map((k) => topK({ k }).name)).toEqual(["accuracy", "top2", "top5"]);
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

  it("of the area under the curve count a share above one half as positive", () => {
    const state = auroc().start();
    state.add(
      tensorFromNumbers("float32", [4], [0.9, 0.2, 0.5, 0.1]),
      tensorFromNumbers("float32", [4], [0.8, 0.6, 0.5, 0.3]),
    );
    // Of four pairs only 0.2 against 0.5 is the wrong way round.
    expect(state.value()).toBeCloseTo(3 / 4, 12);
  });

  it("of perplexity: uniform scores are as perplexing as there are classes", () => {
    const state = perplexity().start();
    state.add(
      tensorFromNumbers("float32", [1, 2, 4], new Array(8).fill(3)),
      tensorFromNumbers("int64", [1, 2], [0, 3]),
    );
    expect(state.value()).toBeCloseTo(4, 6);
  });

  it.each([1, -1])("of several positions, with the classes on axis %s, are those of each position as a row", (axis) => {
    // Two samples of four positions with three classes; the last position counts for nothing.
    const at = (sample: number, position: number, label: number) =>
      Math.sin(5 * sample + 3 * position + 7 * label * label);
    const truth = [2, 0, 1, 9, 0, 1, 1, 9];
    const places = [0, 1].flatMap((sample) => [0, 1, 2, 3].map((position) => [sample, position] as const));
    const values = [0, 1].flatMap((sample) =>
      axis === 1
        ? [0, 1, 2].flatMap((label) => [0, 1, 2, 3].map((position) => at(sample, position, label)))
        : [0, 1, 2, 3].flatMap((position) => [0, 1, 2].map((label) => at(sample, position, label))),
    );
    const prediction = tensorFromNumbers("float64", axis === 1 ? [2, 3, 4] : [2, 4, 3], values);
    const measure = (metric: Metric) => {
      const state = metric.start();
      state.add(prediction, tensorFromNumbers("int64", [2, 4], truth));
      return state.value();
    };
    const rows = places.map(([sample, position]) => [0, 1, 2].map((label) => at(sample, position, label)));
    const counted = rows.flatMap((row, i) => (truth[i] === 9 ? [] : [{ row, label: truth[i]! }]));
    const mean = (of: (item: (typeof counted)[number]) => number) =>
      counted.reduce((sum, item) => sum + of(item), 0) / counted.length;
    const options = { axis, ignoreIndex: 9 };
    const bestOf = (row: readonly number[]) => row.indexOf(Math.max(...row));
    expect(measure(accuracy(options))).toBeCloseTo(
      mean(({ row, label }) => Number(bestOf(row) === label)),
      9,
    );
    expect(measure(topK({ ...options, k: 2 }))).toBeCloseTo(
      mean(({ row, label }) => Number(row.filter((x) => x > row[label]!).length < 2)),
      9,
    );
    const surprise = mean(({ row, label }) => Math.log(row.reduce((sum, x) => sum + Math.exp(x - row[label]!), 0)));
    expect(measure(perplexity(options))).toBeCloseTo(Math.exp(surprise), 6);
    const score = (label: number) => {
      const hits = counted.filter((item) => item.label === label && bestOf(item.row) === label).length;
      return (
        (2 * hits) /
        (counted.filter((item) => item.label === label).length +
          counted.filter(({ row }) => bestOf(row) === label).length)
      );
    };
    expect(measure(f1(options))).toBeCloseTo((score(0) + score(1) + score(2)) / 3, 9);
    const above = (label: number) => {
      const pairs = counted.flatMap((a) =>
        counted.flatMap((b) => (a.label === label && b.label !== label ? [Number(a.row[label]! > b.row[label]!)] : [])),
      );
      return pairs.reduce((sum, pair) => sum + pair, 0) / pairs.length;
    };
    expect(measure(auroc(options))).toBeCloseTo((above(0) + above(1) + above(2)) / 3, 9);
  });

  it("of equal scores go to the class that comes first", () => {
    const state = (metric: Metric, label: number) => {
      const open = metric.start();
      open.add(tensorFromNumbers("float32", [1, 3], [1, 2, 2]), tensorFromNumbers("int64", [1], [label]));
      return open.value();
    };
    expect([1, 2].map((label) => state(accuracy(), label))).toEqual([1, 0]);
  });

  it("of scores that are no numbers are no hits", () => {
    const of = (metric: Metric, row: readonly number[]) => {
      const open = metric.start();
      open.add(tensorFromNumbers("float32", [1, 3], row), tensorFromNumbers("int64", [1], [1]));
      return open.value();
    };
    const none = [Number.NaN, Number.NaN, Number.NaN];
    expect(of(accuracy(), none)).toBe(0);
    expect(of(topK({ k: 3 }), none)).toBe(0);
    expect(of(accuracy(), [Number.NaN, 2, 1])).toBe(0);
    expect(of(topK({ k: 2 }), [Number.NaN, 2, 1])).toBe(1);
    expect(of(auroc(), none)).toBeNaN();
    expect(() => of(f1(), [0, 1, Number.NaN])).toThrow(/no highest one.*NaN/);
  });

  it("are refused for labels that do not fit", () => {
    const add = () =>
      accuracy()
        .start()
        .add(tensorFromNumbers("float32", [1, 2], [1, 0]), tensorFromNumbers("int64", [2], [0, 1]));
    expect(add).toThrow(/labels do not fit/);
    const vector = tensorFromNumbers("float32", [3], [1, 0, 2]);
    expect(() =>
      accuracy()
        .start()
        .add(vector, tensorFromNumbers("int64", [1, 1], [0])),
    ).toThrow(/expected 0 labels for \[3\] with the classes on axis 1/);
  });
});

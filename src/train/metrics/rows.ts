/** @file Predictions as rows of class scores, each with its label. */
import { DataError, ShapeError } from "../../errors.ts";
import { checkLabels, floatsOf, numbersOf, type Tensor } from "../../ir/index.ts";

export interface Rows {
  readonly count: number;
  readonly classes: number;
  readonly labels: Float64Array;
  /** The score of a class in a row. */
  score(row: number, label: number): number;
}

/**
 * The classes stand on `axis`; every other position is a row.
 *
 * @throws DataError for a label that is no class and not `ignoreIndex`
 */
export function rowsOf(prediction: Tensor, labels: Tensor, axis = 1, ignoreIndex?: number): Rows {
  const { dims } = prediction;
  const place = axis < 0 ? axis + dims.length : axis;
  const classes = dims[place] ?? 0;
  const inner = dims.slice(place + 1).reduce((product, dim) => product * dim, 1);
  const scores = floatsOf(prediction);
  const count = classes === 0 ? 0 : scores.length / classes;
  const numbers = numbersOf(labels);
  if (classes === 0 || numbers.length !== count) {
    throw new ShapeError("the labels do not fit the prediction", {
      expected: `${count} labels for [${dims.join(", ")}] with the classes on axis ${axis}`,
      got: `[${labels.dims.join(", ")}]`,
    });
  }
  checkLabels(numbers, { kind: "classes", count: classes, ignored: ignoreIndex }, (row) => `${row} of the batch`);
  const start = (row: number) => Math.floor(row / inner) * classes * inner + (row % inner);
  return { count, classes, labels: numbers, score: (row, label) => scores[start(row) + label * inner]! };
}

/**
 * The class of the highest score, the first among equals.
 *
 * @throws DataError for a row with a score that is no number
 */
export function bestOf({ classes, score }: Rows, row: number): number {
  let best = 0;
  for (let label = 0; label < classes; label++) {
    if (Number.isNaN(score(row, label))) throw noClass(row);
    if (score(row, label) > score(row, best)) best = label;
  }
  return best;
}

function noClass(row: number): DataError {
  return new DataError("a row of scores has no highest one", { expected: "numbers", got: "NaN", where: `row ${row}` });
}

/** @file The classes that two models give to the same samples, where an output is a row of classes for every sample. */
import { nth } from "../checked.ts";
import { DataError } from "../errors.ts";
import { checkLabels, dataTypes, numbersOf, type Tensor, wrongLabel } from "../ir/index.ts";
import { confidenceOf } from "./confidence.ts";
import { type Interval, mean, pairedInterval } from "./statistics.ts";

export interface PairedAccuracy {
  readonly a: number;
  readonly b: number;
  readonly n: number;
  /** The 95 % interval of the drop a − b, see `pairedInterval`. */
  readonly interval: Interval;
  /** Classes of the output. */
  readonly classes: number;
  /** The mean of the largest probability in A's answers: as it stands in them, or by a softmax. */
  readonly confidence: number;
  /** A's accuracy if every label were one larger or one smaller. */
  readonly shifted: { readonly up: number; readonly down: number };
}

/** The right class of every sample, and where the samples came from. */
export interface Labelled {
  readonly labels?: readonly number[];
  readonly sources?: readonly string[];
}

export interface ClassAnswers {
  /** One run: outputs of both in the order of `names`, and the number of samples in it. */
  add(a: readonly Tensor[], b: readonly Tensor[], samples: number, labelled: Labelled): void;
  /** By output; nothing for those that are no rows of classes. */
  top1(): ReadonlyMap<string, number>;
  /**
   * On the output that the labels fit: of several, the one by which A is right most often.
   *
   * @throws DataError where there are rows of classes and the labels fit none
   */
  accuracy(seed: number): PairedAccuracy | undefined;
}

interface Label {
  readonly label: number | undefined;
  readonly source: string | undefined;
}

/** Classes of one output so far. */
interface Rows {
  readonly name: string;
  readonly a: number[];
  readonly b: number[];
  /** How sure A is of each. */
  readonly confidence: number[];
  classes: number;
  /** Whether every run so far gave a row of classes for every sample. */
  holds: boolean;
}

export function classAnswers(names: readonly string[]): ClassAnswers {
  const outputs = names.map((name): Rows => ({ name, a: [], b: [], confidence: [], classes: 0, holds: true }));
  const labels: Label[] = [];
  const scores = (): Rows[] => outputs.filter(({ holds, a }) => holds && a.length > 0);
  return {
    add(left, right, samples, { labels: given, sources }) {
      for (const [i, rows] of outputs.entries()) if (rows.holds) addRows(rows, nth(left, i), nth(right, i), samples);
      if (given) checkCount(left, given.length);
      for (let i = 0; i < samples; i++) labels.push({ label: given?.[i], source: sources?.[i] });
    },
    top1: () => new Map(scores().map(({ name, a, b }) => [name, mean(a.map((best, i) => Number(best === b[i])))])),
    accuracy: () => accuracyOf(scores(), labels),
  };
}

function addRows(rows: Rows, a: Tensor, b: Tensor, samples: number): void {
  rows.holds = areScores(a, samples) && areScores(b, samples) && (rows.classes || a.dims[1]) === a.dims[1];
  if (!rows.holds) return;
  rows.classes = nth(a.dims, 1);
  for (const row of rowsOf(a)) {
    rows.a.push(argmax(row));
    rows.confidence.push(confidenceOf(row));
  }
  for (const row of rowsOf(b)) rows.b.push(argmax(row));
}

/** Labels that are fewer or more than the rows of a would-be classifier belong to other samples. */
function checkCount(outputs: readonly Tensor[], labels: number): void {
  const rows = outputs.filter((output) => areScores(output, output.dims[0] ?? 0)).map(({ dims }) => nth(dims, 0));
  if (rows.length === 0 || rows.includes(labels)) return;
  throw new DataError("every sample needs its label", { expected: `${rows[0]} labels`, got: `${labels}` });
}

function accuracyOf(scores: readonly Rows[], labels: readonly Label[]): PairedAccuracy | undefined {
  const labelled = [...labels.keys()].filter((i) => nth(labels, i).label !== undefined);
  const widest = scores.toSorted((one, other) => other.classes - one.classes)[0];
  if (labelled.length === 0 || !widest) return undefined;
  const right = labelled.map((i) => nth(labels, i).label!);
  const fitting = scores.filter(({ classes }) => wrongLabel(right, { kind: "classes", count: classes }) === undefined);
  if (fitting.length === 0) {
    checkLabels(right, { kind: "classes", count: widest.classes }, (i) => nth(labels, nth(labelled, i)).source);
  }
  const hits = (classes: readonly number[], shift = 0): number[] =>
    labelled.map((i, k) => Number(classes[i] === nth(right, k) + shift));
  const [{ rows, a, b }] = fitting
    .map((rows) => ({ rows, a: hits(rows.a), b: hits(rows.b) }))
    .sort((one, other) => mean(other.a) - mean(one.a)) as [{ rows: Rows; a: number[]; b: number[] }];
  const onlyIn = (one: readonly number[], other: readonly number[]): number =>
    one.filter((hit, i) => hit > nth(other, i)).length;
  return {
    a: mean(a),
    b: mean(b),
    n: labelled.length,
    interval: pairedInterval(onlyIn(a, b), onlyIn(b, a), labelled.length),
    classes: rows.classes,
    confidence: mean(labelled.map((i) => nth(rows.confidence, i))),
    shifted: { up: mean(hits(rows.a, 1)), down: mean(hits(rows.a, -1)) },
  };
}

/** [N, C] with a row for every sample, or the same with idle axes of height and width, as a pool over all positions leaves them. */
function areScores({ dtype, dims }: Tensor, samples: number): boolean {
  const [rows, classes = 1, ...idle] = dims;
  const isRow = idle.length === 0 || (idle.length === 2 && idle.every((dim) => dim === 1));
  return dataTypes[dtype].kind === "float" && rows === samples && rows > 0 && classes > 1 && isRow;
}

function* rowsOf(scores: Tensor): Generator<Float64Array> {
  const values = numbersOf(scores);
  const width = nth(scores.dims, 1);
  for (let start = 0; start < values.length; start += width) yield values.subarray(start, start + width);
}

/** −1 where there is a score that is no number. */
function argmax(values: Float64Array): number {
  let best = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i])) return -1;
    if (values[i]! > values[best]!) best = i;
  }
  return best;
}

/** @file How far two sessions' answers lie apart on the same inputs. */
import { DataError } from "../errors.ts";
import {
  checkLabels,
  type DataType,
  dataTypes,
  maxOf,
  minOf,
  numbersOf,
  sizeOf,
  stringsOf,
  type Tensor,
  typedArray,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { checkCancelled } from "./run.ts";
import type { Feeds, Session } from "./session.ts";
import { bootstrapInterval, type Interval, mean } from "./statistics.ts";

export interface Batch {
  readonly feeds: Feeds;
  /** The right class of every sample. */
  readonly labels?: readonly number[];
  /** Where the samples came from, for error messages. */
  readonly sources?: readonly string[];
}

/** The distance of one output over all batches. */
export interface OutputAgreement {
  readonly name: string;
  readonly maxAbs: number;
  /** ‖a − b‖ / ‖a‖. */
  readonly relative: number;
  readonly cosine: number;
}

export interface Agreement {
  /** Samples: the length of the first axis, summed over the batches. */
  readonly n: number;
  /** The worst of all outputs. */
  readonly maxAbs: number;
  readonly relative: number;
  readonly cosine: number;
  /** The share of samples to which both give the same class; absent unless the first output looks like scores [N, C]. */
  readonly top1?: number;
  readonly perOutput: readonly OutputAgreement[];
  readonly accuracy?: PairedAccuracy;
}

export interface PairedAccuracy {
  readonly a: number;
  readonly b: number;
  readonly n: number;
  /** The 95 % paired bootstrap interval of the drop a − b. */
  readonly interval: Interval;
}

export interface AgreementOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

export const agreementOptionsNames: OptionNames<AgreementOptions> = { seed: true, signal: true };

/** Runs both sessions on every batch; only sums and one class per sample are kept. */
export async function measureAgreement(
  a: Session,
  b: Session,
  batches: AsyncIterable<Batch> | Iterable<Batch>,
  options: AgreementOptions = {},
): Promise<Agreement> {
  const { seed = 0, signal } = checkOptions(options, agreementOptionsNames);
  const pairs = pairedOutputs(a, b);
  const distances = pairs.map(([name]) => distance(name));
  const classes: ClassPair[] = [];
  let n = 0;
  for await (const { feeds, labels, sources } of batches) {
    checkCancelled(signal);
    const [left, right] = await Promise.all([a.run(feeds), b.run(feeds)]);
    for (const [i, [nameA, nameB]] of pairs.entries()) distances[i]!.add(left.get(nameA)!, right.get(nameB)!);
    const [nameA, nameB] = pairs[0]!;
    const first = left.get(nameA)!;
    n += first.dims[0] ?? 1;
    for (const item of classPairs(first, right.get(nameB)!, labels, sources)) classes.push(item);
  }
  if (n === 0) throw new DataError("there is nothing to compare", { expected: "at least one batch", got: "none" });
  return summary(
    n,
    distances.map((item) => item.result()),
    classes,
    seed,
  );
}

interface ClassPair {
  readonly a: number;
  readonly b: number;
  readonly label: number | undefined;
}

function summary(n: number, perOutput: OutputAgreement[], classes: readonly ClassPair[], seed: number): Agreement {
  const worst = {
    n,
    maxAbs: maxOf(perOutput.map(({ maxAbs }) => maxAbs)),
    relative: maxOf(perOutput.map(({ relative }) => relative)),
    cosine: minOf(perOutput.map(({ cosine }) => cosine)),
    perOutput,
  };
  if (classes.length === 0) return worst;
  const top1 = mean(classes.map(({ a, b }) => Number(a === b)));
  const labelled = classes.filter(({ label }) => label !== undefined);
  return labelled.length === 0 ? { ...worst, top1 } : { ...worst, top1, accuracy: accuracyOf(labelled, seed) };
}

function accuracyOf(classes: readonly ClassPair[], seed: number): PairedAccuracy {
  const hitsA = classes.map(({ a, label }) => Number(a === label));
  const hitsB = classes.map(({ b, label }) => Number(b === label));
  const drops = hitsA.map((hit, i) => hit - hitsB[i]!);
  return { a: mean(hitsA), b: mean(hitsB), n: classes.length, interval: bootstrapInterval(drops, mean, { seed }) };
}

/** Outputs of one name belong together; where no name is shared, those in the same place. */
function pairedOutputs(a: Session, b: Session): (readonly [string, string])[] {
  const names = new Set(b.outputs.map(({ name }) => name));
  const shared = a.outputs.filter(({ name, dtype }) => dtype !== undefined && names.has(name));
  if (shared.length > 0) return shared.map(({ name }) => [name, name]);
  if (a.outputs.length === b.outputs.length) return a.outputs.map(({ name }, i) => [name, b.outputs[i]!.name]);
  throw new DataError("two models have no output in common", {
    expected: a.outputs.map(({ name }) => JSON.stringify(name)).join(", "),
    got: b.outputs.map(({ name }) => JSON.stringify(name)).join(", "),
  });
}

/** Accumulates the distance of one output. Equal values, infinities and NaN included, are no distance apart. */
export function distance(name: string): { add(a: Tensor, b: Tensor): void; result(): OutputAgreement } {
  let maxAbs = 0;
  let squares = 0;
  let normA = 0;
  let normB = 0;
  let dot = 0;
  return {
    add(a, b) {
      const [left, right] = a.dtype === "string" ? textMatches(a, b) : [plainNumbers(a), plainNumbers(b)];
      if (left.length !== right.length) {
        throw new DataError("an output has other dims in the other model", {
          expected: `[${a.dims.join(", ")}]`,
          got: `[${b.dims.join(", ")}]`,
          where: `output ${JSON.stringify(name)}`,
        });
      }
      for (let i = 0; i < left.length; i++) {
        const x = left[i]!;
        const y = right[i]!;
        if (Object.is(x, y) && !Number.isFinite(x)) continue;
        const gap = Math.abs(x - y);
        if (!(gap <= maxAbs)) maxAbs = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap;
        squares += gap * gap;
        normA += x * x;
        normB += y * y;
        dot += x * y;
      }
    },
    result: () => ({ name, maxAbs, relative: ratioOf(squares, normA), cosine: cosineOf(dot, normA, normB) }),
  };
}

function ratioOf(squares: number, norm: number): number {
  if (squares === 0) return 0;
  const ratio = Math.sqrt(squares / norm);
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
}

function cosineOf(dot: number, normA: number, normB: number): number {
  if (normA === 0 && normB === 0) return 1;
  const cosine = dot / Math.sqrt(normA * normB);
  return Number.isFinite(cosine) ? Math.max(-1, Math.min(1, cosine)) : 0;
}

type Numbers = ArrayLike<number>;

const plain: ReadonlySet<DataType> = new Set([
  "float32",
  "float64",
  "int8",
  "uint8",
  "bool",
  "int16",
  "uint16",
  "int32",
]);

function plainNumbers(t: Tensor): Numbers {
  return plain.has(t.dtype) ? (typedArray(t) as Float32Array) : numbersOf(t);
}

/** Texts as numbers: ones, against ones where the texts are equal and zeros where they differ. */
function textMatches(a: Tensor, b: Tensor): [Numbers, Numbers] {
  const texts = stringsOf(a);
  const others = stringsOf(b);
  return [texts.map(() => 1), others.map((text, i) => Number(text === texts[i]))];
}

/** The classes of every sample, when the outputs are scores [N, C] or [N, C, 1, …]. */
function classPairs(
  a: Tensor,
  b: Tensor,
  labels: readonly number[] | undefined,
  sources: readonly string[] = [],
): ClassPair[] {
  if (!areScores(a) || !areScores(b)) return [];
  const samples = a.dims[0]!;
  if (labels && labels.length !== samples) {
    throw new DataError("every sample needs its label", { expected: `${samples} labels`, got: `${labels.length}` });
  }
  if (labels) checkLabels(labels, { kind: "classes", count: a.dims[1]! }, (i) => sources[i]);
  const [left, right] = [argmaxRows(a), argmaxRows(b)];
  return left.map((best, i) => ({ a: best, b: right[i] ?? -1, label: labels?.[i] }));
}

function areScores({ dtype, dims }: Tensor): boolean {
  const [, classes = 1, ...rest] = dims;
  return dataTypes[dtype].kind === "float" && classes > 1 && rest.every((dim) => dim === 1);
}

function argmaxRows(scores: Tensor): number[] {
  const values = numbersOf(scores);
  const rows = scores.dims[0]!;
  const width = sizeOf(scores.dims) / rows;
  return Array.from({ length: rows }, (_, row) => argmax(values.subarray(row * width, (row + 1) * width)));
}

function argmax(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

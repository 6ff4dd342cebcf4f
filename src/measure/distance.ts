/** @file How far one output of two models lies apart, over any number of runs. */
import {
  type DataType,
  dataTypes,
  nearestNumber,
  numbersOf,
  sizeOf,
  stringsOf,
  type Tensor,
  typedArray,
} from "../ir/index.ts";

/** The distance of one output over all batches. */
export interface OutputAgreement {
  readonly name: string;
  /** Of A. */
  readonly dtype: DataType;
  /** Elements that were compared, those that are no numbers included. */
  readonly elements: number;
  readonly maxAbs: number;
  /** ‖a − b‖ / ‖a‖. */
  readonly relative: number;
  readonly cosine: number;
  /** The largest finite |a|. */
  readonly largest: number;
  /** The share of elements that are the same. */
  readonly same: number;
  readonly notFinite: NotFinite;
  /** Why values cannot be compared, or what else than values differs: dims or dtype, of the first run where they do. */
  readonly mismatch?: string;
  /** The share of samples to which both give the same class, where the output is a row of classes for every sample. */
  readonly top1?: number;
}

/** Counts of elements. */
export interface NotFinite {
  /** NaN or infinite in A. */
  readonly a: number;
  /** Finite in A, NaN or infinite in B. */
  readonly onlyB: number;
  /** NaN in A, where nothing can be compared, and a number in B. */
  readonly onlyA: number;
}

export interface Distance {
  add(a: Tensor, b: Tensor): void;
  result(): OutputAgreement;
}

/** Accumulates the distance of one output. Equal values, infinities and NaN included, are no distance apart. */
export function distance(name: string): Distance {
  const sums = { elements: 0, same: 0, maxAbs: 0, largest: 0, squares: 0, normA: 0, normB: 0, dot: 0 };
  const notFinite = { a: 0, onlyB: 0, onlyA: 0 };
  let dtype: DataType = "float32";
  let mismatch: string | undefined;
  let isComparable = true;
  return {
    add(a, b) {
      dtype = a.dtype;
      mismatch ??= mismatchOf(a, b);
      const pair = comparable(a, b);
      if (pair) accumulate(sums, notFinite, pair[0], pair[1]);
      else isComparable = false;
    },
    result: () => ({
      name,
      dtype,
      elements: sums.elements,
      maxAbs: isComparable ? sums.maxAbs : Number.POSITIVE_INFINITY,
      relative: isComparable ? ratioOf(sums) : Number.POSITIVE_INFINITY,
      cosine: isComparable ? cosineOf(sums) : 0,
      largest: sums.largest,
      same: isComparable ? (sums.elements === 0 ? 1 : sums.same / sums.elements) : 0,
      notFinite,
      ...(mismatch !== undefined && { mismatch }),
    }),
  };
}

interface Sums {
  elements: number;
  same: number;
  maxAbs: number;
  largest: number;
  squares: number;
  normA: number;
  normB: number;
  dot: number;
}

function accumulate(sums: Sums, notFinite: { a: number; onlyB: number; onlyA: number }, a: Numbers, b: Numbers): void {
  sums.elements += a.length;
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    const y = b[i]!;
    if (x === y || (Number.isNaN(x) && Number.isNaN(y))) sums.same++;
    const isNumber = Number.isFinite(x);
    if (!isNumber) notFinite.a++;
    else if (!Number.isFinite(y)) notFinite.onlyB++;
    if (!isNumber && Object.is(x, y)) continue;
    if (Number.isNaN(x)) {
      notFinite.onlyA++;
      continue;
    }
    const gap = Math.abs(x - y);
    if (!(gap <= sums.maxAbs)) sums.maxAbs = Number.isNaN(gap) ? Number.POSITIVE_INFINITY : gap;
    if (isNumber && Math.abs(x) > sums.largest) sums.largest = Math.abs(x);
    sums.squares += gap * gap;
    sums.normA += x * x;
    sums.normB += y * y;
    sums.dot += x * y;
  }
}

function mismatchOf(a: Tensor, b: Tensor): string | undefined {
  if (a.dims.join() !== b.dims.join()) return `dims [${b.dims.join(", ")}] in the place of [${a.dims.join(", ")}]`;
  return a.dtype === b.dtype ? undefined : `${b.dtype} in the place of ${a.dtype}`;
}

/** Both as numbers, element beside element; `undefined` where there is no such pairing. */
function comparable(a: Tensor, b: Tensor): [Numbers, Numbers] | undefined {
  if (sizeOf(a.dims) !== sizeOf(b.dims) || a.dims.join() !== b.dims.join()) return undefined;
  const isText = a.dtype === "string";
  if (isText !== (b.dtype === "string")) return undefined;
  if (isText) return textMatches(a, b);
  if (isWide(a) && isWide(b)) return wideIntegers(a, b);
  return [plainNumbers(a), plainNumbers(b)];
}

/** Squares of float64 may leave its range; the largest gap over the largest value then stands for the norms. */
function ratioOf({ squares, normA, maxAbs, largest }: Sums): number {
  if (maxAbs === 0) return 0;
  const ratio = squares > 0 && squares < Number.POSITIVE_INFINITY ? Math.sqrt(squares / normA) : maxAbs / largest;
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio;
}

function cosineOf({ dot, normA, normB }: Sums): number {
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

function isWide({ dtype }: Tensor): boolean {
  return dtype === "int64" || dtype === "uint64";
}

/** 64-bit integers as numbers that differ wherever the integers do: B is A and their difference, each rounded by itself. */
function wideIntegers(a: Tensor, b: Tensor): [Numbers, Numbers] {
  const [left, right] = [typedArray(a) as BigInt64Array, typedArray(b) as BigInt64Array];
  const x = new Float64Array(left.length).map((_, i) => nearestNumber(left[i]!));
  const y = new Float64Array(right.length).map((_, i) => nearestNumber(right[i]!));
  for (let i = 0; i < left.length; i++) {
    if (x[i] === y[i] && left[i] !== right[i]) y[i] = nextAfter(x[i]!);
  }
  return [x, y];
}

/** A neighbour among doubles of at least 2^53. */
function nextAfter(x: number): number {
  return x * (1 - Number.EPSILON);
}

/** Texts as numbers: ones, against ones where the texts are equal and zeros where they differ. */
function textMatches(a: Tensor, b: Tensor): [Numbers, Numbers] {
  const texts = stringsOf(a);
  const others = stringsOf(b);
  return [texts.map(() => 1), others.map((text, i) => Number(text === texts[i]))];
}

/** Whether an output holds numbers that rounding may change. */
export function isFloat({ dtype }: Pick<OutputAgreement, "dtype">): boolean {
  return dataTypes[dtype].kind === "float";
}

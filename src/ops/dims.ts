/** @file Arithmetic on dims, and what the rules ask of a node's inputs. Unknown stays unknown; nothing is guessed. */
import { ShapeError } from "../errors.ts";
import {
  type DataType,
  type Dim,
  type Dims,
  elementCount,
  sameDim,
  type Tensor,
  type TensorType,
  tensorType,
  UNKNOWN_DIM,
  type ValueType,
} from "../ir/index.ts";
import type { NodeFacts, TypedNode } from "./spec.ts";

export function asTensor(type: ValueType | undefined): TensorType | undefined {
  return type?.kind === "tensor" || type?.kind === "sparse-tensor" ? type : undefined;
}

export function dimsOf(facts: NodeFacts, input: number): Dims | undefined {
  return asTensor(facts.input(input))?.dims;
}

export function dtypeOf(facts: NodeFacts, input: number): DataType | undefined {
  return asTensor(facts.input(input))?.dtype;
}

export function outputDims(node: TypedNode, output = 0): Dims | undefined {
  return asTensor(node.output(output))?.dims;
}

/** Whether the i-th input is given at all. */
export function hasInput({ node }: NodeFacts, input: number): boolean {
  return node.inputs[input] !== undefined;
}

/** A tensor type, or nothing when the element type is unknown. */
export function typed(dtype: DataType | undefined, dims?: Dims): TensorType | undefined {
  return dtype && tensorType(dtype, dims);
}

/** More axes than any tensor has. */
const MOST_AXES = 256;

/** `rank` dims of which nothing is known. */
export function unknownDims(rank: number): Dims {
  if (!(rank >= 0 && rank <= MOST_AXES)) {
    throw new ShapeError("a tensor has an impossible rank", { expected: `0 to ${MOST_AXES}`, got: `${rank}` });
  }
  return Array<Dim>(rank).fill(UNKNOWN_DIM);
}

/** The axis counted from the front; fails outside of `[-rank, rank)`. */
export function axisIn(axis: number, rank: number): number {
  if (axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  throw new ShapeError("an axis lies outside of its tensor", {
    expected: `-${rank} ≤ axis < ${rank}`,
    got: `${axis}`,
  });
}

/** A dim that is both `a` and `b`: the more specific one. Fails when they are different numbers. */
export function equalDim(a: Dim, b: Dim, what = "dims that must be equal differ"): Dim {
  if (typeof a === "number" && typeof b === "number" && a !== b) {
    throw new ShapeError(what, { expected: `${a}`, got: `${b}` });
  }
  if (typeof b === "number") return b;
  return a === UNKNOWN_DIM ? b : a;
}

/** Elementwise `equalDim`; fails when the ranks differ. */
export function equalDims(a: Dims | undefined, b: Dims | undefined, what?: string): Dims | undefined {
  if (!a || !b) return a ?? b;
  if (a.length !== b.length) {
    throw new ShapeError(what ?? "ranks that must be equal differ", { expected: `${a.length}`, got: `${b.length}` });
  }
  return a.map((dim, i) => equalDim(dim, b[i]!, what));
}

/** Fails unless the rank is at least `least` and at most `most`. */
export function checkRank(dims: Dims, what: string, least: number, most = least): void {
  if (dims.length >= least && dims.length <= most) return;
  const expected = most === least ? `${least}` : most === Infinity ? `at least ${least}` : `${least} to ${most}`;
  throw new ShapeError(`${what} has the wrong rank`, { expected, got: `${dims.length}` });
}

/** The dims of a multidirectional broadcast; unknown when one of the ranks is. */
export function broadcastDims(lists: readonly (Dims | undefined)[]): Dims | undefined {
  let result: Dims = [];
  for (const dims of lists) {
    if (!dims) return undefined;
    result = broadcastPair(result, dims);
  }
  return result;
}

function broadcastPair(a: Dims, b: Dims): Dims {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => broadcastDim(a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1));
}

function broadcastDim(a: Dim, b: Dim): Dim {
  if (a === 1 || a === b) return b;
  if (b === 1) return a;
  if (typeof a === "number" && typeof b === "number") {
    throw new ShapeError("dims do not broadcast", { expected: `${a} or 1`, got: `${b}` });
  }
  if (typeof a === "number") return a;
  return typeof b === "number" ? b : UNKNOWN_DIM;
}

export function sumDims(dims: Dims): Dim {
  const named = dims.filter((dim) => dim !== 0);
  if (named.length === 1) return named[0]!;
  return dims.every((dim) => typeof dim === "number") ? dims.reduce<number>((sum, dim) => sum + Number(dim), 0) : "";
}

/** The product, when it is a number or a single name. */
export function productDims(dims: Dims): Dim {
  if (dims.includes(0)) return 0;
  const factors = dims.filter((dim) => dim !== 1);
  if (factors.length === 1) return factors[0]!;
  return elementCount(factors) ?? UNKNOWN_DIM;
}

/** The product under a name of its own where one dim is a name: equal factors give equal names. */
export function namedProduct(dims: Dims): Dim {
  const names = dims.filter((dim) => typeof dim !== "number");
  const count = elementCount(dims.filter((dim) => typeof dim === "number")) ?? 1;
  if (names.length === 0) return count;
  const [name] = names;
  if (names.length > 1 || name === UNKNOWN_DIM) return UNKNOWN_DIM;
  return count === 1 ? name! : `${count}·${name}`;
}

/** `numerator / denominator` with equal names cancelled; unknown unless the result is a number or a single name. */
export function quotientDims(numerator: Dims, denominator: Dims): Dim {
  const above = [...numerator];
  const below: Dim[] = [];
  for (const dim of denominator) {
    const place = above.findIndex((other) => sameDim(other, dim));
    if (place >= 0) above.splice(place, 1);
    else below.push(dim);
  }
  const numbers = elementCount(above.filter((dim) => typeof dim === "number"));
  const divisor = elementCount(below);
  const rest = above.filter((dim) => typeof dim !== "number");
  if (divisor === undefined || divisor === 0 || numbers === undefined) return UNKNOWN_DIM;
  const quotient = numbers / divisor;
  if (rest.length === 0) {
    if (Number.isInteger(quotient)) return quotient;
    throw new ShapeError("the elements do not divide evenly", {
      expected: `a multiple of ${divisor}`,
      got: `${numbers}`,
    });
  }
  return rest.length === 1 && quotient === 1 ? rest[0]! : UNKNOWN_DIM;
}

/** `change` applied to a number; anything else becomes unknown. */
export function mapDim(dim: Dim, change: (length: number) => number): Dim {
  return typeof dim === "number" ? change(dim) : UNKNOWN_DIM;
}

/** The i-th input as plain integers, when all of them are known and none has a fraction. */
export function integers(facts: NodeFacts, input: number): readonly number[] | undefined {
  const list = facts.symbols(input);
  return list?.every(Number.isSafeInteger) ? (list as readonly number[]) : undefined;
}

/** Length of a vector input, when it is known. */
export function lengthOf(facts: NodeFacts, input: number): number | undefined {
  const dims = dimsOf(facts, input);
  return dims?.length === 1 && typeof dims[0] === "number" ? dims[0] : facts.symbols(input)?.length;
}

/** A dim given by a symbol; numbers that are no lengths give none. */
export function dimFrom(symbol: Dim | undefined): Dim {
  if (typeof symbol === "number") return Number.isSafeInteger(symbol) && symbol >= 0 ? symbol : UNKNOWN_DIM;
  return symbol ?? UNKNOWN_DIM;
}

/** Dims given by a shape input: its elements, or as many unknown ones as it is long. */
export function dimsFrom(facts: NodeFacts, input: number): Dims | undefined {
  const symbols = facts.symbols(input);
  if (symbols) return symbols.map(dimFrom);
  const length = lengthOf(facts, input);
  return length === undefined ? undefined : unknownDims(length);
}

/** What two types have in common: where they differ nothing is known. */
export function joinTypes(a: ValueType | undefined, b: ValueType | undefined): ValueType | undefined {
  if (!a || !b || a.kind !== b.kind) return undefined;
  if (a.kind === "map" || b.kind === "map")
    return a.kind === "map" && b.kind === "map" && a.key === b.key ? a : undefined;
  if (a.kind === "sequence" || a.kind === "optional") {
    const other = b as typeof a;
    return { kind: a.kind, element: joinTypes(a.element, other.element) };
  }
  const other = b as TensorType;
  if (a.dtype !== other.dtype) return undefined;
  const dims =
    a.dims && other.dims && a.dims.length === other.dims.length
      ? a.dims.map((dim, i) => (sameDim(dim, other.dims![i]!) ? dim : UNKNOWN_DIM))
      : undefined;
  return dims ? { kind: a.kind, dtype: a.dtype, dims } : { kind: a.kind, dtype: a.dtype };
}

/** Number of elements of a type, when it is known. */
export function countOf(type: ValueType | undefined): number | undefined {
  const dims = asTensor(type)?.dims;
  return dims && elementCount(dims);
}

export function typeOfTensor({ dtype, dims }: Tensor): TensorType {
  return tensorType(dtype, dims);
}

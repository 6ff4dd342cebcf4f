/** @file Elements of small tensors followed through the graph: numbers, names of dims, or unknown. */
import { type DataType, type Dim, dataTypes, UNKNOWN_DIM } from "../ir/index.ts";
import { dtypeOf } from "./dims.ts";
import type { NodeFacts, SymbolRule } from "./spec.ts";

/** The first input's elements as they are. */
export const sameSymbols: SymbolRule = (facts, output) => (output === 0 ? facts.elements(0) : undefined);

/** A number as an element of `dtype`: integers truncated, float32 rounded; unknown for narrower floats. */
export function settle(value: number, dtype: DataType | undefined): Dim {
  if (!dtype || Number.isNaN(value)) return UNKNOWN_DIM;
  const { kind, bits } = dataTypes[dtype];
  if (kind === "bool") return value === 0 ? 0 : 1;
  if (kind === "float") return bits === 64 ? value : bits === 32 ? Math.fround(value) : UNKNOWN_DIM;
  if (kind !== "int" && kind !== "uint") return UNKNOWN_DIM;
  if (kind === "uint" && value < 0) return UNKNOWN_DIM;
  return Math.abs(value) < 2 ** Math.min(bits - 1, 53) ? Math.trunc(value) : UNKNOWN_DIM;
}

/** Whether a number is the element itself: a 64-bit integer beyond 2^53 was rounded. */
function isKnown(value: number, dtype: DataType | undefined): boolean {
  return Number.isSafeInteger(value) || dtype === undefined || dataTypes[dtype].kind === "float";
}

/** `change` for numbers; names are kept when `keepsNames` (they stand for whole numbers from 0 up). */
export function unarySymbols(change: (value: number) => number, keepsNames = false): SymbolRule {
  return (facts, output) => {
    if (output !== 0) return undefined;
    const dtype = dtypeOf(facts, 0);
    return facts.symbols(0)?.map((item) => {
      if (typeof item !== "number") return keepsNames ? item : UNKNOWN_DIM;
      return isKnown(item, dtype) ? settle(change(item), dtype) : UNKNOWN_DIM;
    });
  };
}

/** Combines inputs `0`, `1`, …; vectors of one element and scalars are repeated. */
export function zipSymbols(
  facts: NodeFacts,
  ports: readonly number[],
  combine: (items: readonly Dim[]) => Dim,
): readonly Dim[] | undefined {
  const lists: (readonly Dim[])[] = [];
  for (const port of ports) {
    const list = facts.symbols(port);
    if (!list) return undefined;
    lists.push(list);
  }
  const length = lists.reduce((longest, { length }) => (longest === 1 ? length : longest), 1);
  if (lists.some((list) => list.length !== length && list.length !== 1)) return undefined;
  return Array.from({ length }, (_, i) => combine(lists.map((list) => (list.length === 1 ? list[0]! : list[i]!))));
}

export type Combine = (a: Dim, b: Dim) => Dim | undefined;

/** `numbers` when both are numbers, else what `named` knows of names. */
export function binarySymbols(numbers: (a: number, b: number) => number, named: Combine = () => undefined): SymbolRule {
  return (facts, output) => {
    if (output !== 0) return undefined;
    const dtype = dtypeOf(facts, 0);
    return zipSymbols(facts, [...facts.node.inputs.keys()], (items) =>
      items.reduce((a, b) => {
        if (a === UNKNOWN_DIM || b === UNKNOWN_DIM) return UNKNOWN_DIM;
        if (typeof a !== "number" || typeof b !== "number") return named(a, b) ?? UNKNOWN_DIM;
        return isKnown(a, dtype) && isKnown(b, dtype) ? settle(numbers(a, b), dtype) : UNKNOWN_DIM;
      }),
    );
  };
}

export const addNames: Combine = (a, b) => (a === 0 ? b : b === 0 ? a : undefined);
export const subtractNames: Combine = (a, b) => (a === b ? 0 : b === 0 ? a : undefined);
export const multiplyNames: Combine = (a, b) => (a === 0 || b === 0 ? 0 : a === 1 ? b : b === 1 ? a : undefined);
export const divideNames: Combine = (a, b) => (a === b || b === 1 ? (b === 1 ? a : 1) : undefined);
/** A named dim is never negative, and equal to itself. */
export const equalNames: Combine = (a, b) =>
  a === b ? 1 : (typeof a === "number" && a < 0) || (typeof b === "number" && b < 0) ? 0 : undefined;
export const greaterNames: Combine = (a, b) =>
  a === b ? 0 : typeof b === "number" && b < 0 ? 1 : typeof a === "number" && a <= 0 ? 0 : undefined;
export const maxNames: Combine = (a, b) =>
  a === b ? a : typeof a === "number" && a <= 0 ? b : typeof b === "number" && b <= 0 ? a : undefined;

/** @file Fewer bits than a type has, as nodes tell of them. A type of 8 bits saturates at its own ends, so something else keeps to the narrower ones. */
import { dataTypes, type Node } from "../../ir/index.ts";
import { type Limits, limitsOf, type QuantizedType, type Scheme, typeLimits } from "../scheme.ts";

/** The key of a QuantizeLinear whose integers take fewer bits than their type has. */
const BITS = "lithe.bits";

/** The key of a Clip that is there for that alone. */
const RANGE = "lithe.range";

/** What a QuantizeLinear of this scheme says of itself; nothing where the type's own bits are used. */
export function bitsMetadata({ dtype, reducedRange, bits }: Omit<Scheme, "granularity" | "symmetric">) {
  const width = reducedRange ? dataTypes[dtype].bits - 1 : bits;
  return width === undefined || width >= dataTypes[dtype].bits ? undefined : new Map([[BITS, `${width}`]]);
}

export const rangeMetadata: ReadonlyMap<string, string> = new Map([[RANGE, "1"]]);

export function isRangeClip({ opType, metadata }: Node): boolean {
  return opType === "Clip" && metadata?.has(RANGE) === true;
}

/** Whether the integers of a QuantizeLinear take fewer bits than their type has. */
export function isNarrow({ metadata }: Node): boolean {
  return metadata?.has(BITS) === true;
}

/** The integers that a QuantizeLinear to this type gives. */
export function limitsOfNode(node: Node, dtype: QuantizedType): Limits {
  const bits = Number(node.metadata?.get(BITS) ?? dataTypes[dtype].bits);
  if (bits >= dataTypes[dtype].bits) return typeLimits(dtype);
  const reducedRange = bits === dataTypes[dtype].bits - 1 && !dtype.startsWith("u");
  return limitsOf({ dtype, symmetric: false, reducedRange, bits: reducedRange ? undefined : bits });
}

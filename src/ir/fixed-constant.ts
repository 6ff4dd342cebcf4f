/** @file The mark of `Constant` nodes that are part of a formula: those that lithe builds, whose weights are initializers. */
import type { Node } from "./graph.ts";

const KEY = "litheml.fixed";

/** Metadata of a node; files keep it. */
export const fixedMark: ReadonlyMap<string, string> = new Map([[KEY, "true"]]);

export function isFixed({ metadata }: Node): boolean {
  return metadata?.has(KEY) === true;
}

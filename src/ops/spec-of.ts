/** @file The entry of a node in the table, with what it requires. */
import { type Node, qualifiedName } from "../ir/index.ts";
import { requiring } from "./required.ts";
import type { OpSpec } from "./spec.ts";
import { opTable } from "./table.ts";

const entries = new Map<string, OpSpec>(Object.entries(opTable).map(([name, spec]) => [name, requiring(spec)]));

/** The node's entry; `undefined` for an operator that lithe does not know, which is kept as it is. */
export function specOf(node: Pick<Node, "opType" | "domain">): OpSpec | undefined {
  return entries.get(qualifiedName(node));
}

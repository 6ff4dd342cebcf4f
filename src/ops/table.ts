/** @file The table of operators: every entry of every family under its qualified name. */
import { type Node, qualifiedName } from "../ir/index.ts";
import { constantOps } from "./constant.ts";
import { convOps } from "./conv.ts";
import { elementwiseOps } from "./elementwise.ts";
import { gatherOps } from "./gather.ts";
import { matmulOps } from "./matmul.ts";
import { movementOps } from "./movement.ts";
import { normOps } from "./norm.ts";
import { poolOps } from "./pool.ts";
import { reduceOps } from "./reduce.ts";
import { slicingOps } from "./slicing.ts";
import type { OpSpec } from "./spec.ts";

/** Facts by qualified operator name. */
export const opTable = {
  ...elementwiseOps,
  ...convOps,
  ...matmulOps,
  ...normOps,
  ...poolOps,
  ...reduceOps,
  ...movementOps,
  ...slicingOps,
  ...gatherOps,
  ...constantOps,
} satisfies Record<string, OpSpec>;

/** The operators that lithe knows. */
export type OpType = keyof typeof opTable;

const entries = new Map<string, OpSpec>(Object.entries(opTable));

/** The node's entry; `undefined` for an operator that lithe does not know, which is kept as it is. */
export function specOf(node: Pick<Node, "opType" | "domain">): OpSpec | undefined {
  return entries.get(qualifiedName(node));
}

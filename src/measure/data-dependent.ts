/** @file Whether the work that a model does depends on what it is given. */
import { allNodes, type Model } from "../ir/index.ts";

/** Operators that run a part of the graph, or make as many elements, as data decide. */
const deciding: ReadonlySet<string> = new Set([
  "If",
  "Loop",
  "NonZero",
  "Compress",
  "Unique",
  "NonMaxSuppression",
  "SequenceMap",
  "MoE",
  "QMoE",
]);

/** Whether one input can take longer than another of the same shape: the model has branches, loops, or as many rows as data say. */
export function dependsOnData(model: Model): boolean {
  for (const { opType } of allNodes(model)) if (deciding.has(opType)) return true;
  return false;
}

/** @file Which nodes are quantized, by name. */
import { type Node, type NodePattern, nodeMatcher } from "../ir/index.ts";

/** Nodes by name: those that stay in floats, and the only ones that do not. */
export interface NodeChoice {
  /** Nodes that stay in floats. */
  readonly exclude?: readonly NodePattern[];
  /** Only these nodes are quantized; all that can be when absent. */
  readonly include?: readonly NodePattern[];
}

/** Why a node stays in floats for its name; `undefined` where it does not. */
export function nodeChoice({ exclude = [], include }: NodeChoice): (node: Node) => string | undefined {
  const excluded = nodeMatcher(exclude);
  const included = include && nodeMatcher(include);
  return (node) => {
    if (excluded(node)) return "excluded by name";
    return included && !included(node) ? "not among the nodes to quantize" : undefined;
  };
}

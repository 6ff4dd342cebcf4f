/** @file Choosing nodes by name. */
import { UsageError } from "../errors.ts";
import { type Node, wildcard } from "../ir/index.ts";

/** A node's name or that of one of its outputs; `*` stands for any run of characters. */
export type NodePattern = string;

/** Names that a node goes by: its own, then those of its outputs. */
export function namesOfNode(node: Node): string[] {
  return [node.name, ...node.outputs.map((output) => output?.name ?? "")].filter((name) => name !== "");
}

/** The name to report: the node's own, or its first output's. */
export function labelOf(node: Node): string {
  return namesOfNode(node)[0] ?? "";
}

/** Whether a node matches any pattern. */
export function matcher(patterns: readonly NodePattern[]): (node: Node) => boolean {
  const tests = patterns.map((pattern) => {
    if (pattern === "") throw new UsageError("a node pattern is empty", { expected: "a name, or a name with *" });
    return wildcard(pattern);
  });
  return (node) => {
    const known = namesOfNode(node);
    return tests.some((test) => known.some(test));
  };
}

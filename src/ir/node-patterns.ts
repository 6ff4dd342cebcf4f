/** @file Choosing nodes by name. */
import { UsageError } from "../errors.ts";
import type { Graph, Node } from "./graph.ts";
import { nearNames } from "./near-names.ts";
import { allGraphs } from "./traverse.ts";
import { wildcard } from "./wildcard.ts";

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
export function nodeMatcher(patterns: readonly NodePattern[]): (node: Node) => boolean {
  const tests = patterns.map((pattern) => {
    if (pattern === "") throw new UsageError("a node pattern is empty", { expected: "a name, or a name with *" });
    return wildcard(pattern);
  });
  return (node) => {
    const known = namesOfNode(node);
    return tests.some((test) => known.some(test));
  };
}

/**
 * Before any work.
 *
 * @throws UsageError for a pattern that no node of the graph matches, which lists names that are near to it
 */
export function checkPatterns(
  graph: Graph,
  patterns: Readonly<Record<string, readonly NodePattern[] | undefined>>,
): void {
  const nodes = [...allGraphs(graph)].flatMap((each) => each.nodes);
  for (const [where, given = []] of Object.entries(patterns)) {
    const unknown = given.find((pattern) => !nodes.some(nodeMatcher([pattern])));
    if (unknown === undefined) continue;
    const names = [...new Set(nodes.flatMap(namesOfNode))];
    const near = nearNames(unknown, names);
    const listed = near.length > 0 ? near : names.slice(0, 3);
    throw new UsageError("a pattern matches no node", {
      expected: `names such as ${listed.map((name) => JSON.stringify(name)).join(", ")}`,
      got: JSON.stringify(unknown),
      where,
      hint: "Nodes are named as in the model that is changed; cleaning may have merged or removed those of the file.",
    });
  }
}

/** @file Choosing nodes by name. */
import { UsageError } from "../errors.ts";
import { allGraphs, type Graph, type Node, wildcard } from "../ir/index.ts";
import { nearNames } from "./near-names.ts";

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

/** Nodes by name: those that stay in floats, and the only ones that do not. */
export interface NodeChoice {
  /** Nodes that stay in floats. */
  readonly exclude?: readonly NodePattern[];
  /** Only these nodes are quantized; all that can be when absent. */
  readonly include?: readonly NodePattern[];
}

/** Why a node stays in floats for its name; `undefined` where it does not. */
export function nodeChoice({ exclude = [], include }: NodeChoice): (node: Node) => string | undefined {
  const excluded = matcher(exclude);
  const included = include && matcher(include);
  return (node) => {
    if (excluded(node)) return "excluded by name";
    return included && !included(node) ? "not among the nodes to quantize" : undefined;
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
    const unknown = given.find((pattern) => !nodes.some(matcher([pattern])));
    if (unknown === undefined) continue;
    const names = [...new Set(nodes.flatMap(namesOfNode))];
    const near = nearNames(unknown, names);
    const listed = near.length > 0 ? near : names.slice(0, 3);
    throw new UsageError("a pattern matches no node", {
      expected: `names such as ${listed.map((name) => JSON.stringify(name)).join(", ")}`,
      got: JSON.stringify(unknown),
      where,
      hint: "Nodes are named as in the model that is quantized; cleaning may have merged or removed those of the file.",
    });
  }
}

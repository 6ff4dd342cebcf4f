/** @file A graph cut at named values. */
import { InvalidModelError } from "../../errors.ts";
import { capturesOf, type Graph, type Value, withoutDeadNodes } from "../../ir/index.ts";

/** Where a part of a graph begins and ends. */
export interface Ends {
  readonly name: string;
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
}

/**
 * What of a graph lies between values: the nodes that `outputs` need and `inputs` do not give.
 *
 * @throws InvalidModelError where a value that is needed is neither given nor computed from what is given.
 */
export function partBetween(graph: Graph, ends: Ends): Graph {
  const given = new Set<Value | undefined>(ends.inputs);
  const open = graph.nodes.filter(({ outputs }) => !outputs.some((value) => given.has(value)));
  const part: Graph = { ...graph, ...ends, ...withoutDeadNodes(open, graph.initializers, ends.outputs) };
  const [missing] = capturesOf(part);
  if (!missing) return part;
  throw new InvalidModelError("a part of a graph needs a value from outside", {
    expected: ends.inputs.map(({ name }) => name).join(", "),
    got: missing.name,
    where: ends.name,
  });
}

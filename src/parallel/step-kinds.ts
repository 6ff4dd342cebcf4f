/** @file Which steps are alike: the same operators in the same wiring, with weights of their own. */
import { constantOf, type Graph, type Node, qualifiedName, sameValueType, type Value } from "../ir/index.ts";
import { isomorphism } from "../rewrite/index.ts";
import type { ResidualStep, Surroundings } from "./residual-steps.ts";

/** Whether two steps are isomorphic, tails included. */
export function alikeSteps(a: ResidualStep, b: ResidualStep, surroundings: Surroundings): boolean {
  const { type } = surroundings;
  if (structureOf(a) !== structureOf(b) || !sameValueType(type(a.input), type(b.input))) return false;
  const parts = [a, b].map(({ members, input, terms }) => ({ nodes: members, input, outputs: terms }));
  return alikeParts(parts[0]!, parts[1]!, surroundings) && alikeTails(a, b, surroundings);
}

export function alikeTails(a: ResidualStep, b: ResidualStep, surroundings: Surroundings): boolean {
  if (a.tail.length === 0 || b.tail.length === 0) return a.tail.length === b.tail.length;
  const parts = [a, b].map(({ tail, sum, output }) => ({ nodes: tail, input: sum, outputs: [output] }));
  return alikeParts(parts[0]!, parts[1]!, surroundings);
}

/** The operators of a step, whatever their shapes. */
export function structureOf({ members, tail }: ResidualStep): string {
  return [members, tail].map((nodes) => nodes.map(qualifiedName).sort().join(" ")).join(" | ");
}

interface Part {
  readonly nodes: readonly Node[];
  readonly input: Value;
  readonly outputs: readonly Value[];
}

/** Steps in sequence read each other; over one common input they can be compared. */
function alikeParts(a: Part, b: Part, { graph, producer, type }: Surroundings): boolean {
  if (a.nodes.length !== b.nodes.length || a.outputs.length !== b.outputs.length) return false;
  const input: Value = { name: "" };
  const constants = new Set<Node>();
  const over = ({ nodes, input: own }: Part): Node[] =>
    nodes.map((node) => {
      for (const value of node.inputs) {
        const source = value && constantOf(graph, value) && producer.get(value);
        if (source) constants.add(source);
      }
      return { ...node, inputs: node.inputs.map((value) => (value === own ? input : value)) };
    });
  const nodes = [...over(a), ...over(b)];
  const common: Graph = { ...graph, nodes: [...constants, ...nodes], outputs: [] };
  const matched = new Set<Node>();
  for (const [i, output] of a.outputs.entries()) {
    const found = isomorphism(common, [output, b.outputs[i]!], (value) => type(value));
    if (!found) return false;
    for (const node of found.nodes.flat()) matched.add(node);
  }
  return matched.size === nodes.length;
}

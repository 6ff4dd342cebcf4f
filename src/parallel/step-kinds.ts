/** @file Which steps are alike: the same operators in the same wiring, with weights of their own. */

import type { ResidualStep, Surroundings } from "../branches/index.ts";
import { atLeast, nth } from "../checked.ts";
import {
  constantOf,
  type Graph,
  type Node,
  qualifiedName,
  sameTensor,
  sameValueType,
  type Value,
} from "../ir/index.ts";
import { type Isomorphism, isomorphism } from "../rewrite/index.ts";

/**
 * Whether two steps are isomorphic, tails included, and not the same function twice: blocks that share all weights would
 * compute the same thing side by side.
 */
export function alikeSteps(a: ResidualStep, b: ResidualStep, surroundings: Surroundings): boolean {
  const { type } = surroundings;
  if (structureOf(a) !== structureOf(b) || !sameValueType(type(a.input), type(b.input))) return false;
  const [first, second] = atLeast(
    [a, b].map(({ members, input, terms }) => ({ nodes: members, input, outputs: terms })),
    2,
  );
  const found = isomorphisms(first, second, surroundings);
  return (
    found !== undefined && !found.every((part) => isOneFunction(part, surroundings)) && alikeTails(a, b, surroundings)
  );
}

export function alikeTails(a: ResidualStep, b: ResidualStep, surroundings: Surroundings): boolean {
  if (a.tail.length === 0 || b.tail.length === 0) return a.tail.length === b.tail.length;
  const [first, second] = atLeast(
    [a, b].map(({ tail, sum, output }) => ({ nodes: tail, input: sum, outputs: [output] })),
    2,
  );
  return isomorphisms(first, second, surroundings) !== undefined;
}

function isOneFunction({ constants, parts }: Isomorphism, { graph }: Surroundings): boolean {
  if (nth(parts, 0).length > 0) return false;
  return nth(constants, 0).every((value, i) =>
    sameTensor(constantOf(graph, value)!, constantOf(graph, nth(constants, 1)[i])!),
  );
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

/** One for each output. Steps in sequence read each other; over one common input they can be compared. */
function isomorphisms(a: Part, b: Part, { graph, producer, type }: Surroundings): Isomorphism[] | undefined {
  if (a.nodes.length !== b.nodes.length || a.outputs.length !== b.outputs.length) return undefined;
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
  const found = a.outputs.map((output, i) => isomorphism(common, [output, nth(b.outputs, i)], (value) => type(value)));
  const matched = new Set(found.flatMap((part) => part?.nodes.flat() ?? []));
  const isWhole = found.every((part) => part !== undefined) && matched.size === nodes.length;
  return isWhole ? (found as Isomorphism[]) : undefined;
}

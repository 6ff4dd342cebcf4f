/** @file A network with branches, cut into one part of its branches for each rank. */

import { type BranchGroup, branchGroupsOf } from "../../branches/index.ts";
import { lastOf, nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  type AttributesOf,
  fedInputs,
  formatType,
  type Model,
  makeNode,
  maxOf,
  type Names,
  type Node,
  namesOf,
  sameValueType,
  scalar,
  type Value,
} from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkCount } from "../../options.ts";
import type { Partition } from "../../runtime/index.ts";
import { type BranchStep, stepsFrom, tensorTypeOf } from "./parts.ts";
import { type Segment, type Stages, stagesOf } from "./stages.ts";

/**
 * Spreads the branches of every stage evenly over `size` ranks: each rank owns its branches' weights, adds its outputs up,
 * and one sum over the ranks ends the stage. What stands before and between the stages runs on every rank where it holds
 * no more weights than a branch, and otherwise on rank 0, which broadcasts; what follows the last sum runs on rank 0.
 * The result equals the model within rounding, since only the order of additions changes.
 *
 * One rank gets the model as it is.
 *
 * @throws UnsupportedError for a model without branches, UsageError for more ranks than branches.
 */
export function partitionBranches(model: Model, size: number): Partition {
  const typed = inferShapes(model);
  const { graph } = typed;
  const groups = branchGroupsOf(graph);
  checkSize(size, groups);
  const inputs = fedInputs(graph);
  const ends = { size, inputs, outputs: graph.outputs };
  if (size === 1) return { ...ends, steps: [{ kind: "run", parts: [typed] }] };
  return { ...ends, steps: stepsFrom(typed, size, planSteps(typed, groups, size, evenShare(size))) };
}

function checkSize(size: number, groups: readonly BranchGroup[]): void {
  const most = maxOf(
    groups.map(({ nodes }) => nodes.length),
    0,
  );
  if (most === 0) {
    throw new UnsupportedError("the model has no branches to spread over ranks", {
      expected: "isomorphic subgraphs with a common input whose outputs are summed",
      hint: "`lithe parallelize` turns a network of repeated residual blocks into one with branches.",
    });
  }
  checkCount("the number of ranks", size, { most });
}

/** Every rank's sum has to have the dims of the whole, which an addend that is broadcast may not leave it. */
function checkTypes({ outputs, combine: { output } }: BranchGroup): void {
  if (sameValueType(outputs[0]?.type, output.type)) return;
  throw new UnsupportedError("the sum of these branches has another type than a branch", {
    expected: formatType(outputs[0]?.type),
    got: formatType(output.type),
    where: `value ${JSON.stringify(output.name)}`,
  });
}

/** Which branches of `count` a rank owns. */
export type Share = (rank: number, count: number) => readonly [first: number, end: number];

function evenShare(size: number): Share {
  return (rank, count) => [Math.ceil((rank * count) / size), Math.ceil(((rank + 1) * count) / size)];
}

/** The steps of `size` ranks with the given shares of every stage. The graph's values carry types. */
export function planSteps(model: Model, groups: readonly BranchGroup[], size: number, share: Share): BranchStep[] {
  groups.forEach(checkTypes);
  const names = namesOf(model);
  const stages = stagesOf(model.graph, groups);
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const steps = groups.flatMap((group, stage): BranchStep[] => {
    const segment = nth(stages.segments, stage);
    const broadcasts = broadcastsAfter(segment, stages, ranks);
    const trunk = ranks.map((rank) => trunkNodes(segment, rank));
    const branches = ranks.map((rank) => branchNodes(group, rank, share(rank, group.nodes.length), names));
    const from = ranks.filter((rank) => nth(branches, rank).length > 0);
    const to = stages.isNeededEverywhere(group.combine.output) ? ranks : [0];
    const sum: BranchStep = { kind: "sum", value: group.combine.output, from, to };
    const count = group.nodes.length;
    if (broadcasts.length > 0) return [run(trunk, 0), ...broadcasts, run(branches, count), sum];
    return [
      run(
        ranks.map((rank) => [...nth(trunk, rank), ...nth(branches, rank)]),
        count,
      ),
      sum,
    ];
  });
  const last = lastOf(stages.segments);
  return [
    ...steps,
    run(
      ranks.map((rank) => trunkNodes(last, rank)),
      0,
    ),
  ];
}

function run(nodes: readonly (readonly Node[])[], branches: number): BranchStep {
  return { kind: "run", nodes, branches };
}

/** A segment that ran on rank 0 hands on what the others need, now or later. */
function broadcastsAfter({ single }: Segment, { isNeededEverywhere }: Stages, ranks: readonly number[]): BranchStep[] {
  const values = single.flatMap(({ outputs }) => outputs.filter((value) => value !== undefined));
  return values.filter(isNeededEverywhere).map((value) => ({ kind: "sum", value, from: [0], to: ranks.slice(1) }));
}

function trunkNodes({ replicated, single }: Segment, rank: number): Node[] {
  return rank === 0 ? [...replicated, ...single] : [...replicated];
}

/** The nodes of a rank's branches, and of their sum; rank 0 adds what is added beside the branches. */
function branchNodes(group: BranchGroup, rank: number, [first, end]: ReturnType<Share>, names: Names): Node[] {
  const terms = [...group.outputs.slice(first, end), ...(rank === 0 ? group.combine.addends : [])];
  if (terms.length === 0) return [];
  return [...group.nodes.slice(first, end).flat(), ...sumNodes(group, terms, names)];
}

function sumNodes({ combine: { output, factor } }: BranchGroup, terms: readonly Value[], names: Names): Node[] {
  const nodes: Node[] = [];
  const op = (
    opType: "Add" | "Mul" | "Constant",
    inputs: readonly Value[],
    attributes: AttributesOf<"Constant"> = {},
  ): Value => {
    const value = { name: names.fresh(`${output.name}_part`) };
    nodes.push(makeNode(opType, inputs, [value], { name: value.name, attributes }));
    return value;
  };
  const total = terms.reduce((sum, term) => op("Add", [sum, term]));
  const value = scalar(tensorTypeOf(output).dtype, factor);
  const scaled = factor === 1 ? total : op("Mul", [total, op("Constant", [], { value })]);
  return [...nodes, makeNode("Identity", [scaled], [output], { name: names.fresh(output.name) })];
}

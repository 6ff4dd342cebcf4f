/** @file The groups of branches of a model, and their combination over other values. */

import { type BranchGroup, branchGroupsOf } from "../branches/index.ts";
import { nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import { isSparse, type Model, makeNode, type Node, type Value } from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { withParameters } from "../train/index.ts";

/** A model whose values carry their types, and its groups of n branches each. */
export interface BranchedModel {
  readonly model: Model;
  readonly groups: readonly BranchGroup[];
  readonly branches: number;
}

/** @throws UnsupportedError when there is no group, or when groups differ in their number of branches. */
export function requireBranches(model: Model): BranchedModel {
  const typed = inferShapes(model);
  const groups = branchGroupsOf(typed.graph);
  const counts = groups.map(({ outputs }) => outputs.length);
  if (new Set(counts).size === 1) return { model: typed, groups, branches: nth(counts, 0) };
  throw new UnsupportedError("the model is no network of so many branches side by side", {
    expected: "isomorphic branches over a common input whose outputs are summed, equally many in every group",
    got: counts.length === 0 ? "no branches" : `groups of ${counts.join(", ")} branches`,
  });
}

/** The group's combination as one node over other values, `addends` included. */
export function combined({ combine }: BranchGroup, outputs: readonly Value[], result: Value): Node {
  const opType = combine.factor === 1 ? "Sum" : "Mean";
  return makeNode(opType, [...outputs, ...combine.addends], [result], { name: result.name });
}

/** A model with the initializers of another form of it, by their names. */
export function withTrained(model: Model, trained: Model): Model {
  const { initializers } = trained.graph;
  const dense = [...initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data] as const]));
  return withParameters(model, new Map(dense));
}

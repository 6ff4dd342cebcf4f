/** @file Fewer branches: those of the end are cut off, as arXiv:2510.15425 does at inference. */

import type { BranchGroup } from "../branches/index.ts";
import { lastOf } from "../checked.ts";
import { type Draft, editModel, indexOf, type Model, producerOf, type Value } from "../ir/index.ts";
import { requireSameOutputs } from "../ops/index.ts";
import { checkCount } from "../options.ts";
import { combined, requireBranches } from "./branch-groups.ts";

/**
 * The model with the first k branches of every group; the same object when there are no more. What combines them stays
 * what it was: a sum becomes a sum of k, a mean a mean of k. No weight changes. Branches are found by structure, so the
 * model may come from anywhere; after `progressiveBranches` or `prefixTerms` it answers well without further training.
 *
 * @throws UnsupportedError where there are no branches, UsageError for more branches than there are.
 */
export function keepBranches(model: Model, kept: number): Model {
  const branched = requireBranches(model);
  checkCount("the number of branches that are kept", kept, { most: branched.branches });
  if (kept === branched.branches) return model;
  const fewer = editModel(branched.model, (draft) => {
    for (const group of branched.groups) cut(draft, group, kept);
  });
  requireSameOutputs(model, fewer);
  return fewer;
}

function cut(draft: Draft, group: BranchGroup, kept: number): void {
  const { nodes, outputs, constants, combine } = group;
  const gone = new Set([...nodes.slice(kept).flat(), ...combine.nodes]);
  for (const value of constants.slice(kept).flat()) removeConstant(draft, value, gone);
  const end = lastOf(combine.nodes);
  draft.replaceNode(end, combined(group, outputs.slice(0, kept), combine.output));
  for (const node of gone) if (node !== end) draft.remove(node);
}

/** Removes a constant that only removed nodes read. */
function removeConstant(draft: Draft, value: Value, gone: ReadonlySet<unknown>): void {
  const uses = indexOf(draft.graph).uses.get(value) ?? [];
  if (!uses.every(({ node }) => gone.has(node))) return;
  const producer = producerOf(draft.graph, value);
  if (producer) draft.remove(producer);
  else draft.removeInitializer(value);
}

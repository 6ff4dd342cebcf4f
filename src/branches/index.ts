/** @file Isomorphic subgraphs side by side: found, computed as one, rolled into a loop, taken apart again; residual branches. */
import type { Pass } from "../rewrite/index.ts";
import { fuseBranches } from "./fuse-branches.ts";
import { rollBranches } from "./roll-branches.ts";

/** Every pass over branches, under its printed name; the laws of passes hold for them, too. */
export const branchPasses = {
  "fuse-branches": () => fuseBranches(),
  "roll-branches": () => rollBranches(),
} satisfies Record<string, () => Pass>;

export { type BranchGroup, branchGroupsOf, type Combination } from "./find-branches.ts";
export { type HeadGroup, headGroupsOf } from "./find-heads.ts";
export { fuseBranches } from "./fuse-branches.ts";
export { type ResidualStep, residualSteps, type Surroundings, surroundingsOf } from "./residual-steps.ts";
export { rollBranches } from "./roll-branches.ts";
export {
  joinStacked,
  type StackedParameter,
  splitStacked,
  stackedParameters,
  unfuseBranches,
} from "./stacking.ts";

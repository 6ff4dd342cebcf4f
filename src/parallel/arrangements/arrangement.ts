/** @file What an arrangement is: which steps of consecutive blocks stand side by side, and which behind each other. */

import type { ResidualStep } from "../../branches/index.ts";
import type { Block } from "../block-runs.ts";

/** Steps that read each other's results. The first reads the input of the stage. */
export type Branch = readonly ResidualStep[];

/**
 * Branches over one input x: y = x + Σ_j (F_j(x) − x), where F_j is what the steps of branch j make of x. Without tails
 * F_j(x) − x is the sum of the branch's terms, so that y = x + Σ_j f_j(x) for branches of one step.
 */
export type Stage = readonly Branch[];

export interface Arrangement {
  readonly name: string;
  /** One sentence, for help and reports. */
  readonly summary: string;
  /** The stages that take the place of consecutive blocks, given as `branches` lists of `group` blocks each. */
  stages(branches: readonly (readonly Block[])[]): readonly Stage[];
}

/** @file What stands in a fused graph for the corresponding values of n branches. */
import type { Value } from "../ir/index.ts";

export type Operand =
  /** One value that is the same for all branches. */
  | { readonly kind: "common"; readonly value: Value; readonly rank: number }
  /** Constants of the branches, not yet laid side by side. */
  | { readonly kind: "own"; readonly values: readonly Value[]; readonly rank: number }
  /** Computed values of the branches, not yet side by side. */
  | { readonly kind: "parts"; readonly values: readonly Value[]; readonly rank: number }
  /** One value with a further axis of length n, the branch axis, at `axis`. */
  | Stacked
  /** The sum over the branches alone. */
  | { readonly kind: "sum"; readonly value: Value; readonly rank: number };

export interface Stacked {
  readonly kind: "stacked";
  readonly value: Value;
  readonly axis: number;
  /** Rank of the value of one branch, one less than that of `value`. */
  readonly rank: number;
}

export function stacked(value: Value, axis: number, rank: number): Stacked {
  return { kind: "stacked", value, axis, rank };
}

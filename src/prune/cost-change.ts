/** @file What a change of a network takes away. */
import type { ModelCost } from "../ops/index.ts";

/** Multiply-accumulates of a batch of one, and parameters. */
export interface CostChange {
  readonly macs: { readonly before: number; readonly after: number };
  readonly parameters: { readonly before: number; readonly after: number };
}

export function costChange(before: ModelCost, after: ModelCost): CostChange {
  return {
    macs: { before: before.macs, after: after.macs },
    parameters: { before: before.params, after: after.params },
  };
}

/** @file The loss that pulls gates to a share. */
import { UsageError } from "../../errors.ts";
import type { LossTerm } from "../../train/index.ts";

export interface ShareOptions {
  /** Of the loss. */
  readonly name: string;
  readonly share: number;
  readonly weight: number;
}

/** (mean gate − share)² over all samples and gates: outputs of the model that are 0 or 1. */
export function shareTerm(gates: readonly string[], { name, share, weight }: ShareOptions): LossTerm {
  if (gates.length === 0 || !(share >= 0 && share <= 1)) {
    throw new UsageError(`the share of ${name} is out of range`, {
      expected: "0 to 1, of one gate or more",
      got: `${share} of ${gates.length} gates`,
    });
  }
  return {
    name,
    weight,
    build(g, { output }) {
      const means = gates.map((gate) => g.op("ReduceMean", [output(gate)], { keepdims: 0 }));
      const sum = means.reduce((a, b) => g.add(a, b));
      const away = g.add(g.mul(sum, 1 / gates.length), -share);
      return g.mul(away, away);
    },
  };
}

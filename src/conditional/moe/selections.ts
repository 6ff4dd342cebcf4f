/** @file P of G(x) = P(N(x·W)): which experts of a row are kept. */
import { UsageError } from "../../errors.ts";
import type { Value } from "../../ir/index.ts";
import type { Layers } from "../../nn/index.ts";
import { checkChoices, chosenMask, largest } from "./scores.ts";

export interface Selection {
  readonly name: string;
  /** 1 where an expert is kept, else 0, without a gradient; [tokens, experts]. */
  keep(n: Layers, scores: Value, experts: number): Value;
  /** How many are kept of each row, where that is fixed. */
  readonly count?: number;
}

/** The k best. */
export function topK(k: number): Selection {
  return {
    name: `top-${k}`,
    count: k,
    keep(n, scores, experts) {
      checkChoices(k, experts, "score");
      return chosenMask(n, largest(n, scores, k).experts, experts);
    },
  };
}

/** All from a threshold on, and the best one in any case. */
export function threshold(least: number): Selection {
  if (!Number.isFinite(least)) throw new UsageError("a threshold is a number", { got: String(least) });
  return {
    name: `at least ${least}`,
    keep(n, scores, experts) {
      const over = n.cast(n.op("GreaterOrEqual", [scores, n.number(least)]), "float32");
      return n.max(over, chosenMask(n, largest(n, scores, 1).experts, experts));
    },
  };
}

/** All, in hard form: as many copies of a token as there are experts. */
export function everyExpert(): Selection {
  return {
    name: "every",
    keep: (n, scores, experts) => chosenMask(n, largest(n, scores, experts).experts, experts),
  };
}

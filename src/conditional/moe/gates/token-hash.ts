/** @file The expert follows from the token's id: Roller et al., "Hash layers for large sparse models" (2021), arXiv:2106.04426. */
import { UsageError } from "../../../errors.ts";
import { minOf, tensorFromNumbers } from "../../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate, GateInputs } from "../gate.ts";
import { checkExperts } from "../scores.ts";
import { fixedRoute } from "./fixed-route.ts";
import { hashed, remainder } from "./hash-words.ts";

export interface TokenHashOptions {
  readonly seed?: number;
  /**
   * How often each id occurs. With it the table is balanced: ids in falling order of frequency go to the expert with the least so far.
   * Without it, ids are hashed, which frequent ids put out of balance.
   */
  readonly frequencies?: ArrayLike<number>;
}

const tokenHashOptionsNames: OptionNames<TokenHashOptions> = { seed: true, frequencies: true };

/** Needs ids. No router, no loss, and the strongest baseline of gates that learn nothing. */
export function tokenHash(options: TokenHashOptions = {}): Gate {
  const { seed = 1, frequencies } = checkOptions(options, tokenHashOptionsNames);
  return {
    name: "token-hash",
    learnable: false,
    hard: true,
    build(n, inputs, experts) {
      checkExperts(experts, "token-hash");
      const ids = idsOf(inputs, "token-hash");
      if (!frequencies) return fixedRoute(n, remainder(n, hashed(n, ids, seed), experts));
      const table = tensorFromNumbers("int64", [frequencies.length], balancedTable(frequencies, experts));
      return fixedRoute(n, n.gather(n.constant("table", table), ids, 0));
    },
  };
}

export function idsOf({ ids }: GateInputs, gate: string) {
  if (ids) return ids;
  throw new UsageError("this gate decides by ids, which the layer was not given", { where: `gate ${gate}` });
}

/** The expert of each id, such that the sums of frequencies differ by at most the largest one. */
export function balancedTable(frequencies: ArrayLike<number>, experts: number): number[] {
  const order = Array.from(frequencies, (count, id) => ({ id, count })).toSorted(
    (a, b) => b.count - a.count || a.id - b.id,
  );
  const loads = new Array<number>(experts).fill(0);
  const table = new Array<number>(frequencies.length).fill(0);
  for (const { id, count } of order) {
    const least = loads.indexOf(minOf(loads));
    table[id] = least;
    loads[least]! += count;
  }
  return table;
}

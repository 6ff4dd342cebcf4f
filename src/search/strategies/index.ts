/** @file Strategies. One strategy is one file and one line in `strategies`; the law iterates over it. */
import { eachAloneThenTogether } from "./each-alone.ts";
import { evolution } from "./evolution.ts";
import { exhaustive } from "./exhaustive.ts";
import { proposals } from "./proposals.ts";
import { randomSearch } from "./random.ts";
import { successiveHalving } from "./successive-halving.ts";

export const strategies = {
  exhaustive,
  random: randomSearch,
  evolution,
  "successive-halving": successiveHalving,
  "each-alone-then-together": eachAloneThenTogether,
  proposals,
} as const;

export type StrategyName = keyof typeof strategies;

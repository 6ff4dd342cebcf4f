/** @file Chance, the control of every other criterion. */
import { random as generator } from "../../data/index.ts";
import { type Criterion, perRow } from "../criterion.ts";

/** The stream of random numbers. */
const PRUNE = 0x9f04e;

export const random: Criterion = {
  name: "random",
  summary: "chance, from the seed: the control of every other criterion",
  scores(weights, seed) {
    const draws = generator(seed, PRUNE + weights.index);
    return perRow(weights, () => draws.uniform());
  },
};

/** @file BinaryConnect: Courbariaux et al. (2015), arXiv:1511.00363; so are the weights of a BNN, arXiv:1602.02830. */
import { signOf } from "../straight-through.ts";
import type { WeightLevels } from "./weight-levels.ts";

/**
 * −1 and +1. The gradient of a level is that of its weight within [−1, 1], where the papers keep the weights: the algorithm
 * `withinClips` of a training does so.
 */
export function binaryConnect(): WeightLevels {
  return (n, weight) => signOf(n, weight);
}

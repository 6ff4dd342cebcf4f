/** @file All-reduce on a ring. */
import { allGatherParts } from "../all-gather.ts";
import { reduceScatter } from "../reduce-scatter.ts";
import type { AllReduceAlgorithm } from "./algorithm.ts";

/**
 * Reduce-scatter, then all-gather (Patarasuk and Yuan 2009): 2 (N−1) steps in which a rank sends 2 (N−1)/N of the bytes, as little as possible,
 * however many ranks there are.
 */
export const ring: AllReduceAlgorithm = async (line, values, { operation }) => {
  await reduceScatter(line, values, operation);
  await allGatherParts(line, values);
};

/** @file All-reduce over a tree. */
import { broadcast } from "../broadcast.ts";
import { reduce } from "../reduce.ts";
import type { AllReduceAlgorithm } from "./algorithm.ts";

/** Reduce to rank 0, then broadcast: 2 ⌈log₂ N⌉ rounds of all bytes. For few bytes, where the number of messages in a row decides. */
export const tree: AllReduceAlgorithm = async (line, values, { operation }) => {
  await reduce(line, values, { operation });
  await broadcast(line, values);
};

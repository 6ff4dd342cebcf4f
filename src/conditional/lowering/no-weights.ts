/** @file A source of randomness for builders that make no parameters. */
import { UsageError } from "../../errors.ts";
import type { RandomSource } from "../../nn/index.ts";

/** Refuses to be drawn from. */
export const noWeights: RandomSource = { uniform: refuse, normal: refuse };

function refuse(): never {
  throw new UsageError("this part of a network has no parameters to draw");
}

/** @file How the outputs of parallel branches become one value. */
import type { Value } from "../../ir/index.ts";
import type { Layers } from "../network.ts";

/**
 * Combines the outputs yⱼ of n branches over the common input x. A single branch is its own combination, up to a learned
 * scale that starts at one.
 *
 * The effect on the variance is stated for branches with an identity path, yⱼ = x + fⱼ, x of variance u, the fⱼ
 * of variance v and uncorrelated with x and with each other.
 */
export type Combination = (n: Layers, x: Value, outputs: readonly Value[]) => Value;

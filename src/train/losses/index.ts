/** @file Losses. One loss is one file and one line in `losses`; the law iterates over it. */
import { binaryCrossEntropy } from "./binary-cross-entropy.ts";
import { crossEntropy } from "./cross-entropy.ts";
import { focal } from "./focal.ts";
import { hinge } from "./hinge.ts";
import { huber } from "./huber.ts";
import { klDivergence } from "./kl-divergence.ts";
import type { Loss } from "./loss.ts";
import { meanAbsoluteError } from "./mean-absolute-error.ts";
import { meanSquaredError } from "./mean-squared-error.ts";
import { softCrossEntropy } from "./soft-cross-entropy.ts";

/** Every loss under its name, with its usual settings when called without any. */
export const losses = {
  crossEntropy,
  softCrossEntropy,
  binaryCrossEntropy,
  meanSquaredError,
  meanAbsoluteError,
  huber,
  klDivergence,
  focal,
  hinge,
} as const;

export type LossName = keyof typeof losses;

/** The loss of a name, with its usual settings. */
export function lossOf(loss: Loss | LossName): Loss {
  return typeof loss === "string" ? losses[loss]() : loss;
}

export type { BinaryCrossEntropyOptions } from "./binary-cross-entropy.ts";
export type { CrossEntropyOptions } from "./cross-entropy.ts";
export type { FocalOptions } from "./focal.ts";
export type { HingeOptions } from "./hinge.ts";
export type { HuberOptions } from "./huber.ts";
export type { KlDivergenceOptions } from "./kl-divergence.ts";
export type { SoftCrossEntropyOptions } from "./soft-cross-entropy.ts";
export type { Loss };
export {
  binaryCrossEntropy,
  crossEntropy,
  focal,
  hinge,
  huber,
  klDivergence,
  meanAbsoluteError,
  meanSquaredError,
  softCrossEntropy,
};

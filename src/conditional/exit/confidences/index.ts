/** @file Measures of confidence. One measure is one file and one line in `confidences`; the laws iterate over it. */
import type { Confidence } from "./confidence.ts";
import { entropy } from "./entropy.ts";
import { maxProbability } from "./max-probability.ts";
import { patience } from "./patience.ts";

/** Every measure under its name. */
export const confidences = { entropy, "max-probability": maxProbability, patience } satisfies Record<
  string,
  () => Confidence
>;

export type ConfidenceName = keyof typeof confidences;

/** The measure itself, or the one of this name. */
export function confidenceOf(confidence: Confidence | ConfidenceName): Confidence {
  return typeof confidence === "string" ? confidences[confidence]() : confidence;
}

export type { Confidence } from "./confidence.ts";

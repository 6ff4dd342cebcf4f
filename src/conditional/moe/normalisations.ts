/** @file N of G(x) = P(N(x·W)): how scores become numbers that can be weights. */
import type { Value } from "../../ir/index.ts";
import type { Layers } from "../../nn/index.ts";
import { softmax } from "./scores.ts";

export type Normalisation = (n: Layers, scores: Value) => Value;

export const normalisations = {
  softmax: (n, scores) => softmax(n, scores),
  sigmoid: (n, scores) => n.sigmoid(scores),
  none: (_, scores) => scores,
} satisfies Record<string, Normalisation>;

export type NormalisationName = keyof typeof normalisations;

/** @file All roundings by name. */
import { adaRound } from "./adaround.ts";
import { clipSearch } from "./clip-search.ts";
import { gptq } from "./gptq.ts";
import { hqq } from "./hqq.ts";
import { nearest } from "./nearest.ts";
import type { Rounding } from "./rounding.ts";
import { secondOrder } from "./second-order.ts";

export const roundings = {
  nearest: () => nearest,
  "second-order": () => secondOrder(),
  gptq: () => gptq(),
  "gptq-act-order": () => gptq({ order: "energy" }),
  adaround: () => adaRound(),
} as const satisfies Record<string, () => Rounding>;

/** Those that move the scales of blocks, too. */
export const blockRoundings = {
  ...roundings,
  hqq: () => hqq(),
  clip: () => clipSearch(),
} as const satisfies Record<string, () => Rounding>;

export type RoundingName = keyof typeof roundings;
export type BlockRoundingName = keyof typeof blockRoundings;

/** Whether a rounding leaves scales where they are, as static int8 needs it. */
export function keepsScales(name: BlockRoundingName): name is RoundingName {
  return Object.hasOwn(roundings, name);
}

const dataFree: ReadonlySet<BlockRoundingName> = new Set(["nearest", "hqq"] as const);

/** Whether a rounding looks at inputs, and is to nearest where it has seen none. */
export function looksAtInputs(name: BlockRoundingName): boolean {
  return !dataFree.has(name);
}

export { type AdaRoundOptions, adaRound } from "./adaround.ts";
export { type ClipSearchOptions, clipSearch } from "./clip-search.ts";
export { type GptqOptions, gptq } from "./gptq.ts";
export { type HqqOptions, hqq } from "./hqq.ts";
export type { FreeBlocks, Rounding, RoundingProblem, RoundingResult } from "./rounding.ts";
export { type SecondOrderOptions, secondOrder } from "./second-order.ts";
export { nearest };

/** @file Granularities. One granularity is one file and one line in `granularities`; the law iterates over it. */
import { block } from "./block.ts";
import { element } from "./element.ts";
import { neighbours, patternOf } from "./neighbours.ts";
import { vector } from "./vector.ts";

/** Every granularity under its name, with its usual settings when called without any. */
export const granularities = { element, vector, block, neighbours } as const;

export type GranularityName = keyof typeof granularities;

export type { BlockOptions } from "./block.ts";
export type { NeighboursOptions } from "./neighbours.ts";
export type { VectorOptions } from "./vector.ts";
export { block, element, neighbours, patternOf, vector };

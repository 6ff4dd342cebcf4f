/** @file All observers by name. */
import { entropy } from "./entropy.ts";
import { minMax } from "./min-max.ts";
import { movingAverage } from "./moving-average.ts";
import { meanSquaredError } from "./mse.ts";
import type { ObserverFactory } from "./observer.ts";
import { percentile } from "./percentile.ts";

export const observers = {
  "min-max": minMax,
  "moving-average": movingAverage,
  percentile,
  entropy,
  mse: meanSquaredError,
} as const satisfies Record<string, ObserverFactory>;

export type ObserverName = keyof typeof observers;

export { entropyThreshold } from "./entropy.ts";
export type { Observer, ObserverFactory, ObserverOptions } from "./observer.ts";
export { entropy, meanSquaredError, minMax, movingAverage, percentile };

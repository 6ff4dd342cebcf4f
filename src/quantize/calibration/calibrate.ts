/** @file Calibration: the ranges of values over representative inputs. */
import { type CaptureOptions, capture, captureOptionsNames } from "../../calibration/index.ts";
import { floatsOf, type Model, type Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import type { Range } from "../scheme.ts";
import type { Observer } from "./observers/index.ts";

export type Ranges = ReadonlyMap<Value, Range>;

export interface Calibration {
  readonly ranges: Ranges;
  /** Number of batches. */
  readonly batches: number;
}

export interface CalibrateOptions extends CaptureOptions {
  readonly observer: (value: Value) => Observer;
  readonly onBatch?: ((done: number) => void) | undefined;
}

const calibrateOptionsNames: OptionNames<CalibrateOptions> = {
  observer: true,
  onBatch: true,
  open: true,
  batches: true,
  signal: true,
  memory: true,
  threads: true,
};

/** Runs `model` over the batches and observes the values. Memory holds one batch's values at most. */
export async function calibrate(
  model: Model,
  values: readonly Value[],
  options: CalibrateOptions,
): Promise<Calibration> {
  checkOptions(options, calibrateOptionsNames);
  const observers = new Map(values.map((value) => [value, options.observer(value)]));
  let done = 0;
  const batches = await capture(model, values, pickOptions(options, captureOptionsNames), (tensors, batch) => {
    for (const [value, tensor] of tensors) observers.get(value)?.observe(floatsOf(tensor));
    if (batch === done) options.onBatch?.(++done);
  });
  return { ranges: new Map([...observers].map(([value, observer]) => [value, observer.range()])), batches };
}

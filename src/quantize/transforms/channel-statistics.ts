/** @file How large the channels of values are: what is along their last axis. */
import { type CaptureOptions, capture } from "../../calibration/index.ts";
import { floatsOf, type Model, type Value } from "../../ir/index.ts";
import type { ObserveOptions } from "./transform.ts";

export interface ChannelStatistics {
  /** Mean |x|. */
  readonly mean: Float64Array;
  /** Largest |x|. */
  readonly largest: Float64Array;
}

export async function channelStatistics(
  model: Model,
  values: readonly Value[],
  { open, calibration, threads, signal }: ObserveOptions,
): Promise<ReadonlyMap<Value, ChannelStatistics>> {
  const found = new Map<Value, { sums: Float64Array; largest: Float64Array; count: number }>();
  const options: CaptureOptions = { open, batches: calibration, threads, signal };
  await capture(model, values, options, (tensors) => {
    for (const [value, tensor] of tensors) {
      const width = tensor.dims.at(-1) ?? 1;
      const own = found.get(value) ?? { sums: new Float64Array(width), largest: new Float64Array(width), count: 0 };
      found.set(value, own);
      const data = floatsOf(tensor);
      for (let i = 0; i < data.length; i++) {
        const [channel, magnitude] = [i % width, Math.abs(data[i] ?? 0)];
        own.sums[channel] = (own.sums[channel] ?? 0) + magnitude;
        if (magnitude > (own.largest[channel] ?? 0)) own.largest[channel] = magnitude;
      }
      own.count += data.length / width;
    }
  });
  return new Map(
    [...found].map(([value, { sums, largest, count }]) => [value, { mean: sums.map((sum) => sum / count), largest }]),
  );
}

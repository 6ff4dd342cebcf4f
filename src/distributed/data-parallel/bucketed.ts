/** @file Gradients in buckets, whose exchanges run side by side. */
import { nth } from "../../checked.ts";
import type { Communicator } from "../communicator/communicator.ts";
import type { GradientExchange, LocalGradient } from "../exchange/exchange.ts";

/**
 * Tensors side by side share a bucket up to so many bytes: few messages for many small tensors (tensor fusion: Sergeev and Del Balso 2018,
 * arXiv:1802.05799), and several on their way at once for large ones. A larger tensor is a bucket by itself. The exchange of a bucket begins before the
 * next one is looked at, each in a communicator of its own.
 */
export function bucketed(exchange: GradientExchange, bytes: number): GradientExchange {
  let lanes: Promise<Communicator>[] = [];
  return {
    async average(communicator, gradients, update) {
      const buckets = bucketsOf(gradients, bytes);
      while (lanes.length < buckets.length) lanes = [...lanes, laneOf(communicator)];
      const ready = await Promise.all(lanes);
      await Promise.all(buckets.map((bucket, i) => exchange.average(nth(ready, i), bucket, update)));
    },
    readState: () => exchange.readState(),
    restore: (state) => exchange.restore(state),
  };
}

async function laneOf(communicator: Communicator): Promise<Communicator> {
  return (await communicator.split(0)) ?? communicator;
}

/** Neighbours, in order. */
export function bucketsOf(gradients: readonly LocalGradient[], bytes: number): LocalGradient[][] {
  const buckets: LocalGradient[][] = [];
  let left = 0;
  for (const gradient of gradients) {
    const size = gradient.values.byteLength;
    if (size > left) {
      buckets.push([]);
      left = bytes;
    }
    left -= size;
    buckets.at(-1)?.push(gradient);
  }
  return buckets;
}

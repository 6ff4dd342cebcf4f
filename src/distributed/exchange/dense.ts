/** @file The mean of whole gradients. */
import { type AllReduceOptions, allReduce } from "../collectives/all-reduce/index.ts";
import type { GradientExchange } from "./exchange.ts";

/** Every value of every gradient, one all-reduce for all tensors together. Keeps nothing. */
export function denseExchange(options: Omit<AllReduceOptions, "operation"> = {}): GradientExchange {
  return {
    async average(communicator, gradients) {
      const { size } = communicator;
      const sum = new Float32Array(gradients.reduce((total, { values }) => total + values.length, 0));
      let at = 0;
      for (const { values } of gradients) {
        sum.set(values, at);
        at += values.length;
      }
      await allReduce(communicator.begin(), sum, { ...options, operation: "sum" });
      at = 0;
      for (const { values } of gradients) {
        for (let i = 0; i < values.length; i++) values[i] = (sum[at + i] ?? 0) / size;
        at += values.length;
      }
    },
    readState: () => new Map(),
    restore() {},
  };
}

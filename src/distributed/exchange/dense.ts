/** @file The mean of whole gradients. */

import { checkOptions, type OptionNames } from "../../options.ts";
import { type AllReduceOptions, allReduce } from "../collectives/all-reduce/index.ts";
import type { GradientExchange } from "./exchange.ts";

export type DenseExchangeOptions = Omit<AllReduceOptions, "operation">;

const denseExchangeOptionsNames: OptionNames<DenseExchangeOptions> = { algorithm: true, ranksPerMachine: true };

/** Every value of every gradient, one all-reduce for all tensors together. Keeps nothing. */
export function denseExchange(options: DenseExchangeOptions = {}): GradientExchange {
  checkOptions(options, denseExchangeOptionsNames);
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

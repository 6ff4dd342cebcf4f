/**
 * @file Adam with its momentum sent in one bit: Tang et al., "1-bit Adam" (ICML 2021), arXiv:2102.02888.
 *
 * In the first T updates gradients are averaged whole, m ← β₁m + (1−β₁)ḡ and v ← β₂v + (1−β₂)ḡ². Then v is frozen. Each rank has m' = β₁m + (1−β₁)g of its
 * own gradient and sends C(m' + δ), with δ ← m' + δ − C(m' + δ); the rank that serves a part of the values has C̄ = mean of those it gets + δ̄ and sends
 * m = C(C̄), with δ̄ ← C̄ − m. C(x) = sign(x)·‖x‖₂/√d of a part. The result is m̂/(√v̂ + ε) with Adam's corrections, those of v of the update T; it is 0 where v is,
 * as signs would make a great step of a value that had no gradient in the warm-up.
 */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { allGather } from "../collectives/all-gather.ts";
import { allToAll } from "../collectives/all-to-all.ts";
import { partOf } from "../collectives/values.ts";
import type { Communicator } from "../communicator/communicator.ts";
import { decodeSigns, encodeSigns } from "../compressors/sign.ts";
import { denseExchange } from "./dense.ts";
import type { GradientExchange, LocalGradient } from "./exchange.ts";
import { requireFinite } from "./finite.ts";
import { slots } from "./slots.ts";

export interface OneBitAdamOptions {
  /** T. The paper has 15 to 25 % of all updates. */
  readonly warmupUpdates: number;
  /** β₁ and β₂. Default 0.9 and 0.999. */
  readonly betas?: readonly [number, number];
  /** ε. Default 1e-8. */
  readonly epsilon?: number;
}

const oneBitAdamOptionsNames: OptionNames<OneBitAdamOptions> = { warmupUpdates: true, betas: true, epsilon: true };

/** All tensors are one list of values here. */
const ALL = "all";

/**
 * After the warm-up a rank sends 2 (N−1)/N bits for each value. The result is Adam's step for a learning rate of 1, so the optimizer after it must be plain SGD,
 * with Adam's learning rate. Keeps `momentum`, `variance` and `worker-error` of all values, and `server-error` of the part that this rank serves.
 */
export function oneBitAdam(options: OneBitAdamOptions): GradientExchange {
  const { warmupUpdates, betas = [0.9, 0.999], epsilon = 1e-8 } = checkOptions(options, oneBitAdamOptionsNames);
  checkCount("warmupUpdates", warmupUpdates);
  const [beta1, beta2] = betas;
  for (const [i, beta] of betas.entries()) checkFactor(`betas[${i}]`, beta);
  const kept = slots(["momentum", "variance", "worker-error", "server-error"]);
  const { average } = denseExchange();
  return {
    async average(communicator, gradients, update) {
      requireFinite(gradients, communicator.rank);
      const isWarm = update > warmupUpdates;
      if (!isWarm) await average(communicator, gradients, update);
      const gradient = joined(gradients);
      const { length } = gradient;
      const [m, v] = [kept.of("momentum", ALL, length), kept.of("variance", ALL, length)];
      gradient.forEach((g, i) => {
        m[i] = beta1 * (m[i] ?? 0) + (1 - beta1) * g;
        if (!isWarm) v[i] = beta2 * (v[i] ?? 0) + (1 - beta2) * g * g;
      });
      if (isWarm) {
        const served = partOf(m, communicator.rank, communicator.size).length;
        const errors = { worker: kept.of("worker-error", ALL, length), server: kept.of("server-error", ALL, served) };
        await averageSigns(communicator, m, errors);
      }
      const [correct1, correct2] = [1 - beta1 ** update, 1 - beta2 ** Math.min(update, warmupUpdates)];
      const step = m.map((mean, i) => {
        const square = v[i] ?? 0;
        return square === 0 ? 0 : mean / correct1 / (Math.sqrt(square / correct2) + epsilon);
      });
      let at = 0;
      for (const { values } of gradients) {
        values.set(step.subarray(at, at + values.length));
        at += values.length;
      }
    },
    readState: kept.readState,
    restore: kept.restore,
  };
}

function checkFactor(name: string, factor: number): void {
  if (factor >= 0 && factor < 1) return;
  throw new UsageError(`${name} is a factor`, { expected: "a number from 0 to below 1", got: String(factor) });
}

function joined(gradients: readonly LocalGradient[]): Float32Array {
  const all = new Float32Array(gradients.reduce((sum, { values }) => sum + values.length, 0));
  let at = 0;
  for (const { values } of gradients) {
    all.set(values, at);
    at += values.length;
  }
  return all;
}

interface Errors {
  readonly worker: Float32Array;
  readonly server: Float32Array;
}

/** The mean of all ranks' values in place, by signs to those who serve the parts, and by signs of the means from them. */
async function averageSigns(communicator: Communicator, values: Float32Array, errors: Errors): Promise<void> {
  const { rank, size } = communicator;
  const parts = Array.from({ length: size }, (_, to) => partOf(values, to, size));
  const sent = parts.map((part, to) => compensated(part, partOf(errors.worker, to, size)));
  const received = await allToAll(communicator.begin(), sent);
  const mean = new Float32Array(nth(parts, rank).length);
  for (const bytes of received) {
    decodeSigns(bytes, mean.length).forEach((value, i) => {
      mean[i] = (mean[i] ?? 0) + value / size;
    });
  }
  const gathered = await allGather(communicator.begin(), compensated(mean, errors.server));
  for (const [from, bytes] of gathered.entries()) {
    const part = nth(parts, from);
    part.set(decodeSigns(bytes, part.length));
  }
}

/** What is sent for the values and the error; the error becomes what that leaves. */
function compensated(values: Float32Array, error: Float32Array): Uint8Array<ArrayBuffer> {
  const wanted = values.map((value, i) => value + (error[i] ?? 0));
  const square = wanted.reduce((sum, value) => sum + value * value, 0);
  const bytes = encodeSigns(wanted, Math.sqrt(square / Math.max(1, wanted.length)));
  const sent = decodeSigns(bytes, wanted.length);
  error.set(wanted.map((value, i) => value - (sent[i] ?? 0)));
  return bytes;
}

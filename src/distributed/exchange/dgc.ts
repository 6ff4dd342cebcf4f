/** @file Deep Gradient Compression: Lin et al. (ICLR 2018), arXiv:1712.01887. */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import { type SampledTopKOptions, sampledTopK, sampledTopKOptionsNames } from "../compressors/sampled-top-k.ts";
import { type DgcMemoryOptions, dgcMemory, dgcMemoryOptionsNames } from "../memories/dgc.ts";
import { type CompressedExchangeOptions, compressedExchange } from "./compressed.ts";
import type { GradientExchange, LocalGradient } from "./exchange.ts";
import { requireFinite } from "./finite.ts";

export interface DgcOptions extends DgcMemoryOptions, SampledTopKOptions, Pick<CompressedExchangeOptions, "applies"> {
  /** The norm that the mean of all gradients may have: a rank bounds its own to N^(−1/2) of it before anything is summed up. No bound when absent. */
  readonly clip?: number;
}

const dgcOptionsNames: OptionNames<DgcOptions> = {
  ...dgcMemoryOptionsNames,
  ...sampledTopKOptionsNames,
  applies: true,
  clip: true,
};

/**
 * Local clipping, momentum correction and factor masking, a sampled threshold, a warm-up of the density, and 48 bits for each value that is sent. Tensors of less
 * than two dims are averaged whole, and get momentum then. Tricks are switched off one by one: `momentum: 0`, `factorMasking: false`,
 * `warmupUpdates: 0`, no `clip`, `sample: 1`.
 *
 * What it gives has momentum already, so the optimizer after it must be plain SGD: w ← w − η·mean. With `momentum: 0` the optimizer's momentum is the only one.
 */
export function deepGradientCompression(options: DgcOptions = {}): GradientExchange {
  const { clip, applies } = checkOptions(options, dgcOptionsNames);
  if (clip !== undefined && !(clip > 0)) {
    throw new UsageError("clip is a norm", { expected: "a number above 0", got: String(clip) });
  }
  const inner = compressedExchange({
    memory: dgcMemory(pickOptions<DgcMemoryOptions>(options, dgcMemoryOptionsNames)),
    compressor: sampledTopK(pickOptions<SampledTopKOptions>(options, sampledTopKOptionsNames)),
    ...(applies && { applies }),
  });
  return {
    ...inner,
    average(communicator, gradients, update) {
      requireFinite(gradients, communicator.rank);
      if (clip !== undefined) clipTo(clip / Math.sqrt(communicator.size), gradients);
      return inner.average(communicator, gradients, update);
    },
  };
}

/** Scales all gradients together in place, so that their norm is at most `most`. */
function clipTo(most: number, gradients: readonly LocalGradient[]): void {
  const square = gradients.reduce((sum, { values }) => values.reduce((total, g) => total + g * g, sum), 0);
  const factor = most / Math.sqrt(square);
  if (factor >= 1 || square === 0) return;
  for (const { values } of gradients) values.set(values.map((g) => g * factor));
}

/**
 * @file Exchanges made of a memory, a compressor and a communicator: the three parts of GRACE (Xu et al., "GRACE: a compressed communication framework
 * for distributed machine learning", ICDCS 2021).
 */
import { nth } from "../../checked.ts";
import { FormatError, UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { allGather } from "../collectives/all-gather.ts";
import type { Communicator } from "../communicator/communicator.ts";
import type { ByteCompressor, Compressor, PlacedTensor } from "../compressors/compressor.ts";
import { bundle, unbundle } from "../encoding/bundle.ts";
import type { Memory } from "../memories/memory.ts";
import { noMemory } from "../memories/none.ts";
import { residual } from "../memories/residual.ts";
import { prefixed, under } from "../prefixed.ts";
import { denseExchange } from "./dense.ts";
import type { GradientExchange, LocalGradient } from "./exchange.ts";
import { requireFinite } from "./finite.ts";
import { nothingKept } from "./slots.ts";

export interface CompressedExchangeOptions {
  readonly compressor: Compressor;
  /** Default `residual()`, or `none()` for what is unbiased. */
  readonly memory?: Memory;
  /** Which tensors are compressed; the others, usually biases and norms, are averaged whole. Default those of two dims or more. */
  readonly applies?: (tensor: Pick<LocalGradient, "name" | "dims">) => boolean;
}

const compressedExchangeOptionsNames: OptionNames<CompressedExchangeOptions> = {
  compressor: true,
  memory: true,
  applies: true,
};

/**
 * What becomes of a gradient g on each rank: p = memory(g), bytes = compressor(p), and the result is the mean over ranks of what the bytes say, summed in
 * float32 in the order of ranks, so that all ranks get the same bits. Bytes of all tensors go in one all-gather, with 32 bits for the length of each;
 * a rank sends on what it receives, so that N − 1 messages leave it and N − 1 come.
 *
 * `average` throws a RuntimeError for a gradient that is not finite, and a FormatError for a message that is none.
 */
export function compressedExchange(options: CompressedExchangeOptions): GradientExchange {
  const {
    compressor,
    memory = compressor.isUnbiased ? noMemory() : residual(),
    applies = isMatrix,
  } = checkOptions(options, compressedExchangeOptionsNames);
  const whole = denseExchange();
  const kept = compressor.kind === "collective" ? compressor : nothingKept;
  return {
    async average(communicator, gradients, update) {
      const { rank } = communicator;
      requireFinite(gradients, rank);
      const place = ({ name, dims }: LocalGradient, index: number) => ({ name, dims, index, update, rank });
      const wholeOnes = gradients.filter((gradient) => !applies(gradient));
      await whole.average(communicator, wholeOnes, update);
      wholeOnes.forEach((each, i) => {
        memory.whole?.(each.values, place(each, i));
      });
      const compressed = gradients.filter(applies);
      if (compressed.length === 0) return;
      const tensors = compressed.map((each, i) => ({
        values: memory.compensate(each.values, place(each, i)),
        place: place(each, i),
      }));
      const { sent, mean } = await exchanged(communicator, compressor, tensors);
      tensors.forEach((tensor, i) => {
        memory.update(tensor.values, nth(sent, i), tensor.place);
        nth(compressed, i).values.set(nth(mean, i));
      });
    },
    readState: () =>
      new Map([...prefixed("memory ", memory.readState()), ...prefixed("compressor ", kept.readState())]),
    restore(state) {
      const unknown = [...state.keys()].find((key) => !/^(memory|compressor) /.test(key));
      if (unknown !== undefined) {
        throw new UsageError("a state belongs to the exchange that it was read from", { got: JSON.stringify(unknown) });
      }
      memory.restore(under("memory ", state));
      kept.restore(under("compressor ", state));
    },
  };
}

function isMatrix({ dims }: Pick<LocalGradient, "dims">): boolean {
  return dims.length >= 2;
}

interface Exchanged {
  /** What others see of this rank's values. */
  readonly sent: readonly Float32Array[];
  readonly mean: readonly Float32Array[];
}

async function exchanged(
  communicator: Communicator,
  compressor: Compressor,
  tensors: readonly PlacedTensor[],
): Promise<Exchanged> {
  if (compressor.kind === "collective") {
    const mean = await compressor.average(communicator, tensors);
    return { sent: mean, mean };
  }
  const { rank, size } = communicator;
  const own = bundle(tensors.map(({ values, place }) => compressor.compress(values, place)));
  const mean = tensors.map(({ values }) => new Float32Array(values.length));
  let sent: readonly Float32Array[] = [];
  for (const [from, message] of (await allGather(communicator.begin(), own)).entries()) {
    const read = readMessage(message, from, compressor, tensors);
    if (from === rank) sent = read;
    mean.forEach((sum, i) => {
      nth(read, i).forEach((value, at) => {
        sum[at] = (sum[at] ?? 0) + value;
      });
    });
  }
  return { sent, mean: mean.map((sum) => sum.map((value) => value / size)) };
}

function readMessage(
  message: Uint8Array<ArrayBuffer>,
  from: number,
  compressor: ByteCompressor,
  tensors: readonly PlacedTensor[],
): Float32Array[] {
  let name = "";
  try {
    return unbundle(message, tensors.length).map((bytes, i) => {
      const { place } = nth(tensors, i);
      name = place.name;
      return compressor.decompress(bytes, { ...place, rank: from });
    });
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    const where = name === "" ? `rank ${from}` : `tensor ${JSON.stringify(name)} of rank ${from}`;
    throw new FormatError("a rank sent what is no gradient", { got: error.message, where, cause: error });
  }
}

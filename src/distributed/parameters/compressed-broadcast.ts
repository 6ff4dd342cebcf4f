/** @file Broadcast of parameters in fewer bits. */
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { broadcast } from "../collectives/broadcast.ts";
import type { Communicator } from "../communicator/communicator.ts";
import type { ByteCompressor } from "../compressors/compressor.ts";
import { refused } from "../encoding/refused.ts";
import type { ExchangeState, LocalGradient } from "../exchange/exchange.ts";
import { parameterDeltas } from "./parameter-deltas.ts";

export interface CompressedBroadcastOptions {
  /** Of the differences; `float16()` or `int8()` are usual. */
  readonly compressor: ByteCompressor;
  /** The rank whose parameters all get. Default 0. */
  readonly root?: number;
}

const compressedBroadcastOptionsNames: OptionNames<CompressedBroadcastOptions> = { compressor: true, root: true };

/** One rank's side of broadcasts that follow each other. */
export interface ParameterBroadcast {
  /** On the other ranks `values` become what the root's are, up to the error of one message: the same bits on each. The root's own stay. `update` counts from 1. */
  broadcast(communicator: Communicator, parameters: readonly LocalGradient[], update: number): Promise<void>;
  readState(): ExchangeState;
  restore(state: ExchangeState): void;
}

/** The first broadcast is whole, each later one the compressed difference to what the others have, so that errors do not add up. */
export function compressedBroadcast(options: CompressedBroadcastOptions): ParameterBroadcast {
  const { compressor, root = 0 } = checkOptions(options, compressedBroadcastOptionsNames);
  checkCount("root", root, { least: 0 });
  const deltas = parameterDeltas(compressor);
  return {
    async broadcast(communicator, parameters, update) {
      checkCount("root", root, { least: 0, most: communicator.size - 1 });
      const own = communicator.rank === root ? deltas.encode(parameters, update) : undefined;
      const [told = 0] = await broadcast(communicator.begin(), Int32Array.of(own?.length ?? 0), root);
      const length = checkedLength(told, parameters);
      const words = new Int32Array(Math.ceil(length / 4));
      const bytes = new Uint8Array(words.buffer, 0, length);
      if (own) bytes.set(own);
      await broadcast(communicator.begin(), words, root);
      if (!own) deltas.decode(bytes, parameters, update);
    },
    readState: deltas.readState,
    restore: deltas.restore,
  };
}

/** Nothing is allocated for more than any compressor needs. */
function checkedLength(length: number, parameters: readonly LocalGradient[]): number {
  const most = parameters.reduce((sum, { values }) => sum + 16 + 8 * values.length, 16);
  if (length >= 0 && length <= most) return length;
  throw refused("has a length that none has", `0 to ${most} bytes`, length);
}

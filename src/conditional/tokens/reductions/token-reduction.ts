/** @file What a reduction of tokens is. */
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";

export interface Tokens {
  /** float32 [batch, time, width]. */
  readonly values: Value;
  /** float32 [batch, time, 1]: how many of the first tokens each stands for. */
  readonly sizes: Value;
}

export interface ReductionInputs extends Tokens {
  /** Emits the keys of the attention right before, mean over the heads: [batch, time, size]. */
  keys(): Value;
  /** Emits the attention that each token gets: from the first token where that is a class token, else the mean over all; [batch, time]. */
  received(): Value;
  readonly time: number;
  /** How many tokens fewer come out, at least 1. */
  readonly remove: number;
  /** Whether the first token has to stay the first. */
  readonly keepsFirst: boolean;
}

export interface TokenReduction {
  readonly name: string;
  /** The largest `remove`. */
  most(time: number, keepsFirst: boolean): number;
  build(n: Layers, inputs: ReductionInputs): Tokens;
}

/** @file Sliced recurrence: Yu and Liu (2018), arXiv:1807.02291: short sequences side by side in the place of a long one. */
import { UsageError } from "../errors.ts";
import type { Value } from "../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import type { Initialiser } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";
import { gru } from "./recurrent.ts";

export interface SlicedRecurrentOptions {
  readonly hidden: number;
  /** n: parts that a sequence is cut into each time; 8 by default. */
  readonly parts?: number;
  /** k: how often it is cut; 2 by default. None makes a plain recurrent layer. */
  readonly times?: number;
  /** Of all weights and biases; that of `gru` by default. */
  readonly weight?: Initialiser;
}

const slicedRecurrentOptionsNames: OptionNames<SlicedRecurrentOptions> = {
  hidden: true,
  parts: true,
  times: true,
  weight: true,
};

/**
 * SRNN(n, k): [batch, time, width] → [batch, hidden], the last state of the highest level. The sequence is cut into nᵏ parts, which a
 * GRU reads side by side; their last states are sequences of n for the GRU of the next level, and so on: k + 1 layers, and
 * T/nᵏ + k·n steps one after another in the place of T. The cells have the usual tanh, where the authors' code has none.
 *
 * @throws UsageError for a length that nᵏ does not divide
 */
export function slicedRecurrent(n: Layers, x: Value, options: SlicedRecurrentOptions): Value {
  const { parts = 8, times = 2, ...own } = checkOptions(options, slicedRecurrentOptionsNames);
  checkCount("the parts of an SRNN", parts, { least: 2 });
  checkCount("the cuts of an SRNN", times, { least: 0 });
  const length = lengthOf(x, 1);
  const count = parts ** times;
  if (length % count !== 0) {
    throw new UsageError("the parts do not divide the sequence", {
      expected: `a multiple of ${parts}^${times} = ${count} times`,
      got: `${length}`,
      hint: "Put zeros before the sequence, or cut it less often.",
    });
  }
  let y = lastState(n.scope("level0"), n.reshape(x, [-1, length / count, lengthOf(x, 2)]), own);
  for (let level = 1; level <= times; level++) {
    y = lastState(n.scope(`level${level}`), n.reshape(y, [-1, parts, own.hidden]), own);
  }
  return y;
}

function lastState(n: Layers, x: Value, options: { readonly hidden: number; readonly weight?: Initialiser }): Value {
  return lastOfSequence(n, gru(n, x, options));
}

/** [batch, time, width] of fixed time → [batch, width] at the last time. */
export function lastOfSequence(n: Layers, x: Value): Value {
  return n.squeeze(n.gather(x, n.ints([lengthOf(x, 1) - 1]), 1), [1]);
}

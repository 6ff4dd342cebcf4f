/** @file A classifier that reads slices of a sequence side by side: SRNN(n, k), Yu and Liu (2018), arXiv:1807.02291. */
import type { Model } from "../ir/index.ts";
import { dropout, linear, network, type RandomSource, slicedRecurrent } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type SequenceInput, sequenceOf } from "./sequence-input.ts";

export interface SlicedOptions extends SequenceInput {
  readonly hidden?: number;
  /** n: 8 by default. */
  readonly parts?: number;
  /** k: 2 by default. */
  readonly times?: number;
  /** Of the embedding of ids; that of the layers by default. */
  readonly embedding?: number;
  readonly classes: number;
  readonly dropout?: number;
}

const slicedOptionsNames: OptionNames<SlicedOptions> = {
  input: true,
  vocabulary: true,
  hidden: true,
  parts: true,
  times: true,
  embedding: true,
  classes: true,
  dropout: true,
};

/** A sequence (`sequenceOf`) whose length nᵏ divides → logits [batch, classes]. */
export function sliced(source: RandomSource, options: SlicedOptions): Model {
  const {
    hidden = 50,
    parts = 8,
    times = 2,
    embedding = hidden,
    classes,
    dropout: ratio,
    ...input
  } = checkOptions(options, slicedOptionsNames);
  return network(source, (n) => {
    const x = sequenceOf(n, input, { width: embedding });
    const state = slicedRecurrent(n.scope("sliced"), x, { hidden, parts, times });
    n.output(linear(n.scope("head"), dropout(n, state, ratio), classes), "logits");
  });
}

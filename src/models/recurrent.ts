/** @file A recurrent classifier of sequences, the baseline of those that are faster: LSTM or GRU layers and a linear head over the last state. */
import type { Model } from "../ir/index.ts";
import { dropout, gru, lastOfSequence, linear, lstm, network, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type SequenceInput, sequenceOf } from "./sequence-input.ts";

export interface RecurrentModelOptions extends SequenceInput {
  /** `lstm` by default. */
  readonly cell?: "gru" | "lstm";
  readonly hidden?: number;
  /** Layers; 1 by default. */
  readonly depth?: number;
  /** Of the embedding of ids; that of the layers by default. */
  readonly embedding?: number;
  readonly classes: number;
  readonly dropout?: number;
}

const recurrentModelOptionsNames: OptionNames<RecurrentModelOptions> = {
  input: true,
  vocabulary: true,
  cell: true,
  hidden: true,
  depth: true,
  embedding: true,
  classes: true,
  dropout: true,
};

const cells = { gru, lstm } as const;

/** A sequence (`sequenceOf`) → logits [batch, classes]. */
export function recurrent(source: RandomSource, options: RecurrentModelOptions): Model {
  const {
    cell = "lstm",
    hidden = 128,
    depth = 1,
    embedding = hidden,
    classes,
    dropout: ratio,
    ...input
  } = checkOptions(options, recurrentModelOptionsNames);
  return network(source, (n) => {
    let y = sequenceOf(n, input, { width: embedding });
    for (let i = 0; i < depth; i++) y = dropout(n, cells[cell](n.scope(`layer${i}`), y, { hidden }), ratio);
    n.output(linear(n.scope("head"), lastOfSequence(n, y), classes), "logits");
  });
}

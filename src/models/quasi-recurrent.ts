/** @file A classifier of quasi-recurrent layers: Bradbury et al. (2016), arXiv:1611.01576, section 3.1, densely connected where asked for. */
import type { Model } from "../ir/index.ts";
import {
  dropout,
  type LinearScanForm,
  lastOfSequence,
  linear,
  network,
  type QrnnPooling,
  qrnn,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type SequenceInput, sequenceOf } from "./sequence-input.ts";

export interface QuasiRecurrentOptions extends SequenceInput {
  readonly hidden?: number;
  /** Layers; 1 by default, 4 in the paper. */
  readonly depth?: number;
  /** Times that a gate sees; 2 by default. */
  readonly window?: number;
  readonly pooling?: QrnnPooling;
  readonly form?: LinearScanForm;
  /** Whether each layer reads what all before it read and made; false by default. */
  readonly dense?: boolean;
  /** Of the embedding of ids; that of the layers by default. */
  readonly embedding?: number;
  readonly classes: number;
  readonly dropout?: number;
}

const quasiRecurrentOptionsNames: OptionNames<QuasiRecurrentOptions> = {
  input: true,
  vocabulary: true,
  hidden: true,
  depth: true,
  window: true,
  pooling: true,
  form: true,
  dense: true,
  embedding: true,
  classes: true,
  dropout: true,
};

/** A sequence (`sequenceOf`) → logits [batch, classes], by the state at the last time. */
export function quasiRecurrent(source: RandomSource, options: QuasiRecurrentOptions): Model {
  checkOptions(options, quasiRecurrentOptionsNames);
  const { input, vocabulary, hidden = 128, depth = 1, dense = false, embedding = hidden, classes } = options;
  const { window, pooling, form, dropout: ratio } = options;
  const layer = { hidden, ...(window && { window }), ...(pooling && { pooling }), ...(form && { form }) };
  return network(source, (n) => {
    let read = sequenceOf(n, { input, ...(vocabulary && { vocabulary }) }, { width: embedding });
    let y = read;
    for (let i = 0; i < depth; i++) {
      y = dropout(n, qrnn(n.scope(`layer${i}`), read, layer), ratio);
      read = dense ? n.concat([read, y], 2) : y;
    }
    n.output(linear(n.scope("head"), lastOfSequence(n, y), classes), "logits");
  });
}

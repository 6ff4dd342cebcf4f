/** @file Reformer: Kitaev et al. (2020), arXiv:2001.04451: hashed attention, reversible residual streams, feed-forward layers in parts. */
import type { Model, Value } from "../ir/index.ts";
import {
  chunkedFeedForward,
  type Layers,
  layerNorm,
  learnedPositions,
  linear,
  lshAttention,
  network,
  type RandomSource,
  reversibleBlock,
  type Streams,
  truncatedNormal,
  zeros,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type SequenceInput, sequenceOf } from "./sequence-input.ts";

export interface ReformerOptions extends SequenceInput {
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  /** Positions in a chunk of the attention; 64 by default. Two of them divide the length, unless one holds all. */
  readonly bucket?: number;
  /** Rounds of hashing; 4 by default. */
  readonly hashes?: number;
  /** Parts of the sequence in a feed-forward layer; 1 by default. */
  readonly chunks?: number;
  readonly classes: number;
}

const reformerOptionsNames: OptionNames<ReformerOptions> = {
  input: true,
  vocabulary: true,
  width: true,
  depth: true,
  heads: true,
  bucket: true,
  hashes: true,
  chunks: true,
  classes: true,
};

const weight = truncatedNormal(0.02);
const initial = { weight, biasInitial: zeros };

/** A sequence (`sequenceOf`) → logits [batch, classes], by the mean over positions and both streams. */
export function reformer(source: RandomSource, options: ReformerOptions): Model {
  const {
    width = 128,
    depth = 4,
    heads = 4,
    bucket,
    hashes,
    chunks,
    classes,
    ...input
  } = checkOptions(options, reformerOptionsNames);
  const hashing = { heads, source, ...initial, ...(bucket && { bucket }), ...(hashes && { hashes }) };
  const attend = (n: Layers, x: Value) => lshAttention(n, layerNorm(n.scope("norm"), x), hashing);
  const forward = (n: Layers, x: Value) =>
    chunkedFeedForward(n, layerNorm(n.scope("norm"), x), { hidden: 4 * width, ...initial, ...(chunks && { chunks }) });
  return network(source, (n) => {
    const read = sequenceOf(n, input, { width, weight });
    const tokens = input.vocabulary === undefined ? linear(n.scope("in"), read, width, initial) : read;
    const begun = learnedPositions(n, tokens, weight);
    let streams: Streams = [begun, begun];
    for (let i = 0; i < depth; i++) streams = reversibleBlock(n.scope(`block${i}`), streams, attend, forward);
    const mean = n.mul(n.add(streams[0], streams[1]), 0.5);
    n.output(linear(n.scope("head"), n.mean(layerNorm(n.scope("norm"), mean), [1]), classes, initial), "logits");
  });
}

/** @file BERT: Devlin et al. (2018), arXiv:1810.04805; the small shapes are those of Turc et al. (2019), arXiv:1908.08962. */
import type { Model, Value } from "../ir/index.ts";
import {
  attention,
  chain,
  dropout,
  embedding,
  type Layers,
  layerNorm,
  learnedPositions,
  lengthOf,
  linear,
  mlpBlock,
  network,
  type RandomSource,
  truncatedNormal,
  zeros,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

/** Layers and width; a head has 64 units, the hidden layer four times the width. */
export const bertShapes = {
  tiny: { depth: 2, width: 128 },
  mini: { depth: 4, width: 256 },
  small: { depth: 4, width: 512 },
  medium: { depth: 8, width: 512 },
  base: { depth: 12, width: 768 },
} as const;

export type BertShape = keyof typeof bertShapes;

export interface BertOptions {
  /** `tiny` by default. */
  readonly shape?: BertShape;
  /** In the place of those of the shape. */
  readonly depth?: number;
  readonly width?: number;
  readonly heads?: number;
  /** Words; 30522 by default. */
  readonly vocabulary?: number;
  /** Tokens per sequence; 512 by default. */
  readonly context?: number;
  /** The id that stands where no token is: nothing looks there. None by default. */
  readonly padding?: number;
  /** Whether a second input, `segments`, tells which of two texts a token is from; false by default: all are from the first. */
  readonly segments?: boolean;
  /** Classes of a linear head over the pooled first token; without them that token is the output. */
  readonly classes?: number;
  readonly dropout?: number;
}

const bertOptionsNames: OptionNames<BertOptions> = {
  shape: true,
  depth: true,
  width: true,
  heads: true,
  vocabulary: true,
  context: true,
  padding: true,
  segments: true,
  classes: true,
  dropout: true,
};

const weight = truncatedNormal(0.02);
const initial = { weight, biasInitial: zeros };
const EPSILON = 1e-12;
const HIDDEN = -1e9;
const HEAD = 64;

/**
 * int64 ids [batch, context] → `logits` [batch, classes], or `pooled` [batch, width] = tanh(W·y₀ + b) of the first token. Blocks are
 * post-norm, as in the paper.
 */
export function bert(source: RandomSource, options: BertOptions = {}): Model {
  const {
    shape = "tiny",
    vocabulary = 30522,
    context = 512,
    padding,
    classes,
    dropout: ratio,
    ...own
  } = checkOptions(options, bertOptionsNames);
  const { depth = bertShapes[shape].depth, width = bertShapes[shape].width, segments = false } = own;
  const { heads = Math.max(1, width / HEAD) } = own;
  return network(source, (n) => {
    const ids = n.input("ids", "int64", ["batch", context]);
    const words = embedding(n.scope("tokens"), ids, { vocabulary, width, weight }).value;
    const types = n.parameter("segments/table", [2, width], weight);
    const kinds = segments ? n.input("segments", "int64", ["batch", context]) : n.ints([0]);
    const x = n.add(learnedPositions(n, words, weight), n.gather(types, kinds, 0));
    const mask = padding === undefined ? undefined : hidden(n, ids, padding);
    const begun = dropout(n, layerNorm(n.scope("norm"), x, { epsilon: EPSILON }), ratio);
    const y = chain(n, begun, (block, z) => encoder(block, z, heads, mask, ratio), depth);
    const first = n.squeeze(n.gather(y, n.ints([0]), 1), [1]);
    const pooled = n.tanh(linear(n.scope("pooler"), first, width, initial));
    if (classes === undefined) n.output(pooled, "pooled");
    else n.output(linear(n.scope("head"), dropout(n, pooled, ratio), classes, initial), "logits");
  });
}

/** norm(x + attention(x)), then norm(y + mlp(y)). */
function encoder(n: Layers, x: Value, heads: number, mask: Value | undefined, ratio: number | undefined): Value {
  const own = { ...initial, ...(ratio !== undefined && { dropout: ratio }) };
  const mixed = n.add(x, attention(n.scope("attention"), x, { heads, ...own, ...(mask && { mask }) }));
  const y = layerNorm(n.scope("norm1"), mixed, { epsilon: EPSILON });
  const wide = 4 * lengthOf(y, 2);
  return layerNorm(n.scope("norm2"), n.add(y, mlpBlock(n.scope("mlp"), y, { hidden: wide, ...own })), {
    epsilon: EPSILON,
  });
}

function hidden(n: Layers, ids: Value, padding: number): Value {
  const empty = n.equal(ids, padding);
  return n.unsqueeze(n.where(empty, HIDDEN, 0), [1, 2]);
}

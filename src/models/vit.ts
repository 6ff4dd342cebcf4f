/** @file A vision transformer: Dosovitskiy et al. (2020), arXiv:2010.11929; pre-norm blocks, the mean over patches by default. */
import type { Model } from "../ir/index.ts";
import {
  chain,
  classToken,
  dropout,
  type Layer,
  type Layers,
  layerNorm,
  learnedPositions,
  linear,
  network,
  patchTokens,
  type RandomSource,
  transformerBlock,
  truncatedNormal,
  zeros,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface VitOptions {
  readonly channels?: number;
  readonly size?: number;
  readonly patch?: number;
  readonly width?: number;
  readonly depth?: number;
  readonly heads?: number;
  /** Width of the hidden layer of a block over that of the block. */
  readonly expansion?: number;
  readonly classes?: number;
  readonly dropout?: number;
  /** The share of branches that training leaves out in the last block; less in those before. */
  readonly dropPath?: number;
  /** What the head reads: the mean over all tokens, or a learned token before those of the patches. */
  readonly pooling?: "mean" | "class";
}

const vitOptionsNames: OptionNames<VitOptions> = {
  channels: true,
  size: true,
  patch: true,
  width: true,
  depth: true,
  heads: true,
  expansion: true,
  classes: true,
  dropout: true,
  dropPath: true,
  pooling: true,
};

/** [batch, channels, size, size] → logits [batch, classes]. */
export function vit(source: RandomSource, options: VitOptions = {}): Model {
  checkOptions(options, vitOptionsNames);
  const { depth = 6, dropPath = 0 } = options;
  return vitAround(source, options, (n, tokens) =>
    chain(
      n,
      tokens,
      (block, y, i) => vitBlock(options, depth > 1 ? (dropPath * i) / (depth - 1) : dropPath)(block, y),
      depth,
    ),
  );
}

/** The block of a vision transformer of these options. */
export function vitBlock({ width = 192, heads = 3, expansion = 4, dropout: ratio }: VitOptions, dropPath = 0): Layer {
  return (n, x) =>
    transformerBlock(n, x, {
      heads,
      hidden: expansion * width,
      dropPath,
      weight: truncatedNormal(0.02),
      biasInitial: zeros,
      ...(ratio !== undefined && { dropout: ratio }),
    });
}

/** Patches, positions, the given body over the tokens, a norm and a linear head. */
export function vitAround(source: RandomSource, options: VitOptions, body: Layer): Model {
  const { channels = 3, size = 32, patch = 4, width = 192, classes = 10, pooling = "mean" } = options;
  const { dropout: ratio } = options;
  const weight = truncatedNormal(0.02);
  return network(source, (n) => {
    const patches = patchTokens(n, n.input("input", "float32", ["batch", channels, size, size]), width, patch);
    const tokens = pooling === "class" ? classToken(n.scope("class"), patches, weight) : patches;
    const y = body(n, dropout(n, learnedPositions(n, tokens, weight), ratio));
    const read = pooled[pooling](n, layerNorm(n.scope("norm"), y));
    n.output(linear(n.scope("head"), read, classes, { weight, biasInitial: zeros }), "logits");
  });
}

const pooled = {
  mean: (n: Layers, tokens) => n.mean(tokens, [1]),
  class: (n: Layers, tokens) => n.squeeze(n.gather(tokens, n.ints([0]), 1), [1]),
} satisfies Record<NonNullable<VitOptions["pooling"]>, Layer>;

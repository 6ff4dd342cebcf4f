/** @file A vision transformer with the mean over patches: Dosovitskiy et al. (2020), arXiv:2010.11929; pre-norm blocks. */
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import {
  attention,
  conv,
  dropout,
  layerNorm,
  learnedPositions,
  linear,
  mlpBlock,
  network,
  type RandomSource,
  stochasticDepth,
  truncatedNormal,
  zeros,
} from "../nn/index.ts";

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
}

export function vit(source: RandomSource, options: VitOptions = {}): Model {
  const {
    channels = 3,
    size = 32,
    patch = 4,
    width = 192,
    depth = 6,
    heads = 3,
    expansion = 4,
    classes = 10,
  } = options;
  const { dropout: ratio, dropPath = 0 } = options;
  if (size % patch !== 0) {
    throw new UsageError("the patches do not cover the image", { expected: `a divisor of ${size}`, got: `${patch}` });
  }
  const settings = {
    weight: truncatedNormal(0.02),
    biasInitial: zeros,
    ...(ratio !== undefined && { dropout: ratio }),
  };
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    const patches = conv(n.scope("patches"), x, width, { kernel: patch, stride: patch, padding: 0 });
    const flat = n.op("Reshape", [patches, n.ints([0, width, (size / patch) ** 2])]);
    const tokens = n.op("Transpose", [flat], { perm: [0, 2, 1] });
    let y = dropout(n, learnedPositions(n, tokens, truncatedNormal(0.02)), ratio);
    for (let i = 0; i < depth; i++) {
      const block = n.scope(`block${i}`);
      const skipped = depth > 1 ? (dropPath * i) / (depth - 1) : dropPath;
      y = stochasticDepth(block, y, skipped, (inner) =>
        attention(block.scope("attention"), layerNorm(block.scope("norm1"), inner), { heads, ...settings }),
      );
      y = stochasticDepth(block, y, skipped, (inner) =>
        mlpBlock(block.scope("mlp"), layerNorm(block.scope("norm2"), inner), {
          hidden: expansion * width,
          ...settings,
        }),
      );
    }
    const pooled = n.op("ReduceMean", [layerNorm(n.scope("norm"), y), n.ints([1])], { keepdims: 0 });
    n.output(linear(n.scope("head"), pooled, classes, { weight: truncatedNormal(0.02), biasInitial: zeros }), "logits");
  });
}

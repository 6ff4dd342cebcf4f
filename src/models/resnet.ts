/**
 * @file ResNet in the form for small images: He et al., "Deep residual learning" (2015), arXiv:1512.03385, section 4.2,
 * with 1×1 convolutions where the size changes (option B).
 */
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
  basicBlock,
  chain,
  convNorm,
  globalAveragePool,
  type Layers,
  linear,
  network,
  type RandomSource,
} from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";

export interface ResnetOptions {
  /** 6n + 2: 20, 32, 44, 56, … */
  readonly depth?: number;
  /** Channels of the first stage. */
  readonly width?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
}

const resnetOptionsNames: OptionNames<ResnetOptions> = {
  depth: true,
  width: true,
  channels: true,
  size: true,
  classes: true,
};

/** [batch, channels, size, size] → logits [batch, classes]. */
export function resnet(source: RandomSource, options: ResnetOptions = {}): Model {
  checkOptions(options, resnetOptionsNames);
  const { depth = 20 } = options;
  if (depth < 8 || (depth - 2) % 6 !== 0) {
    throw new UsageError("there is no ResNet of this depth", { expected: "6n + 2 layers", got: `${depth}` });
  }
  return resnetAround(source, options, (n, x, { stage, channels }) =>
    chain(n, x, (block, y, i) => basicBlock(block, y, channels, stage > 0 && i === 0 ? 2 : 1), (depth - 2) / 6),
  );
}

/** One of the three parts that work at one size. */
export interface Stage {
  readonly stage: number;
  readonly channels: number;
}

/** A first convolution, three stages of doubling channels, the mean over positions and a linear head. */
export function resnetAround(
  source: RandomSource,
  { width = 16, channels = 3, size = 32, classes = 10 }: ResnetOptions,
  build: (n: Layers, x: Value, stage: Stage) => Value,
): Model {
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = n.relu(convNorm(n.scope("stem"), x, width, { kernel: 3 }));
    for (let stage = 0; stage < 3; stage++) {
      y = build(n.scope(`stage${stage}`), y, { stage, channels: width * 2 ** stage });
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), classes), "logits");
  });
}

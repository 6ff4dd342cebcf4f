/**
 * @file ResNet in the form for small images: He et al., "Deep residual learning" (2015), arXiv:1512.03385, section 4.2,
 * with 1×1 convolutions where the size changes (option B).
 */
import { UsageError } from "../errors.ts";
import type { Model, Value } from "../ir/index.ts";
import {
  batchNorm,
  conv,
  globalAveragePool,
  kaimingNormal,
  type Layers,
  lengthOf,
  linear,
  network,
  type RandomSource,
} from "../nn/index.ts";

export interface ResnetOptions {
  /** 6n + 2: 20, 32, 44, 56, … */
  readonly depth?: number;
  /** Channels of the first stage. */
  readonly width?: number;
  readonly channels?: number;
  readonly size?: number;
  readonly classes?: number;
}

export function resnet(source: RandomSource, options: ResnetOptions = {}): Model {
  const { depth = 20, width = 16, channels = 3, size = 32, classes = 10 } = options;
  if (depth < 8 || (depth - 2) % 6 !== 0) {
    throw new UsageError("there is no ResNet of this depth", { expected: "6n + 2 layers", got: `${depth}` });
  }
  return network(source, (n) => {
    const x = n.input("input", "float32", ["batch", channels, size, size]);
    let y = n.op("Relu", [normalised(n.scope("stem"), x, width, 3, 1)]);
    for (let stage = 0; stage < 3; stage++) {
      for (let i = 0; i < (depth - 2) / 6; i++) {
        y = basicBlock(n.scope(`stage${stage}/block${i}`), y, width * 2 ** stage, stage > 0 && i === 0 ? 2 : 1);
      }
    }
    n.output(linear(n.scope("head"), globalAveragePool(n, y), classes), "logits");
  });
}

/** Two 3×3 convolutions around a shortcut. */
export function basicBlock(n: Layers, x: Value, channels: number, stride: number): Value {
  const inner = n.op("Relu", [normalised(n.scope("1"), x, channels, 3, stride)]);
  return joined(n, x, normalised(n.scope("2"), inner, channels, 3, 1), stride);
}

/** branch + x, with a 1×1 convolution on x where the size changes. */
export function joined(n: Layers, x: Value, branch: Value, stride: number): Value {
  const channels = lengthOf(branch, 1);
  const isSame = stride === 1 && lengthOf(x, 1) === channels;
  const shortcut = isSame ? x : normalised(n.scope("shortcut"), x, channels, 1, stride);
  return n.op("Relu", [n.op("Add", [branch, shortcut])]);
}

/** A convolution without bias and batch normalisation. */
export function normalised(n: Layers, x: Value, channels: number, kernel: number, stride: number): Value {
  const weight = kaimingNormal(channels * kernel * kernel);
  return batchNorm(n, conv(n, x, channels, { kernel, stride, bias: false, weight }));
}

/** @file The basic residual block of convolutions: He et al., "Deep residual learning" (2015), arXiv:1512.03385, section 4.1. */
import type { Value } from "../ir/index.ts";
import { conv } from "./conv.ts";
import { kaimingNormal } from "./initialisers.ts";
import type { Layers } from "./network.ts";
import { batchNorm } from "./norms.ts";

export interface ConvNormOptions {
  readonly kernel: number;
  readonly stride?: number;
}

/** A convolution without bias, and statistics of the batch. */
export function convNorm(n: Layers, x: Value, channels: number, { kernel, stride = 1 }: ConvNormOptions): Value {
  const weight = kaimingNormal(channels * kernel * kernel);
  return batchNorm(n, conv(n, x, channels, { kernel, stride, bias: false, weight }));
}

/** ReLU(x + f(x)) with f two 3×3 convolutions; where the stride is not 1, x goes through a 1×1 convolution (option B). */
export function basicBlock(n: Layers, x: Value, channels: number, stride = 1): Value {
  const inner = n.op("Relu", [convNorm(n.scope("1"), x, channels, { kernel: 3, stride })]);
  const branch = convNorm(n.scope("2"), inner, channels, { kernel: 3 });
  const shortcut = stride === 1 ? x : convNorm(n.scope("shortcut"), x, channels, { kernel: 1, stride });
  return n.op("Relu", [n.op("Add", [branch, shortcut])]);
}

/** @file Residual blocks of convolutions: He et al., "Deep residual learning" (2015), arXiv:1512.03385, sections 3.3 and 4.1. */
import type { Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { conv } from "./conv.ts";
import { kaimingNormal } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";
import { batchNorm } from "./norms.ts";

export interface ConvNormOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
}

const convNormOptionsNames: OptionNames<ConvNormOptions> = { kernel: true, stride: true, groups: true };

/** A convolution without bias, and statistics of the batch. */
export function convNorm(n: Layers, x: Value, channels: number, options: ConvNormOptions): Value {
  const { kernel, stride = 1, groups = 1 } = checkOptions(options, convNormOptionsNames);
  const weight = kaimingNormal((channels / groups) * kernel * kernel);
  return batchNorm(n, conv(n, x, channels, { kernel, stride, groups, bias: false, weight }));
}

/** ReLU(x + f(x)) with f two 3×3 convolutions. */
export function basicBlock(n: Layers, x: Value, channels: number, stride = 1): Value {
  const inner = n.relu(convNorm(n.scope("1"), x, channels, { kernel: 3, stride }));
  return aroundShortcut(n, x, convNorm(n.scope("2"), inner, channels, { kernel: 3 }), stride);
}

/** ReLU(x + f(x)) with f 1×1, 3×3 and 1×1 convolutions to four times the channels; the stride is in the 3×3 one, as in torchvision. */
export function bottleneck(n: Layers, x: Value, channels: number, stride = 1): Value {
  const reduced = n.relu(convNorm(n.scope("1"), x, channels, { kernel: 1 }));
  const middle = n.relu(convNorm(n.scope("2"), reduced, channels, { kernel: 3, stride }));
  return aroundShortcut(n, x, convNorm(n.scope("3"), middle, 4 * channels, { kernel: 1 }), stride);
}

/** ReLU(branch + x); where the size changes, x goes through a 1×1 convolution (option B). */
function aroundShortcut(n: Layers, x: Value, branch: Value, stride: number): Value {
  const channels = lengthOf(branch, 1);
  const isSame = stride === 1 && lengthOf(x, 1) === channels;
  const shortcut = isSame ? x : convNorm(n.scope("shortcut"), x, channels, { kernel: 1, stride });
  return n.relu(n.add(branch, shortcut));
}

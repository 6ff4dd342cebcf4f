/** @file Layers whose inputs have two levels: XNOR-Net, Rastegari et al. (2016), arXiv:1603.05279, section 3.2. */
import type { Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { conv } from "./conv.ts";
import type { Initialiser } from "./initialisers.ts";
import { linear } from "./linear.ts";
import type { Layers } from "./network.ts";
import { signOf } from "./straight-through.ts";
import { bwn, type WeightLevels } from "./weight-levels/index.ts";

export interface BinaryLinearOptions {
  /** Those of the paper by default, ±α of each output. */
  readonly levels?: WeightLevels;
  /** Multiplies with the mean magnitudes of the inputs that a position saw, K in the paper, of which the authors' release has none; false by default. */
  readonly inputScale?: boolean;
  readonly weight?: Initialiser;
}

export interface BinaryConvOptions extends BinaryLinearOptions {
  readonly kernel: number;
  readonly stride?: number;
  /** On every side, of +1, so that the padding has the levels of the inputs; by default what keeps the size at stride 1 with an odd kernel. */
  readonly padding?: number;
}

const binaryLinearOptionsNames: OptionNames<BinaryLinearOptions> = { levels: true, inputScale: true, weight: true };

const binaryConvOptionsNames: OptionNames<BinaryConvOptions> = {
  ...binaryLinearOptionsNames,
  kernel: true,
  stride: true,
  padding: true,
};

/**
 * sign(x) ∗ W over [batch, channels, height, width], without bias. A normalisation belongs in front, so that both signs occur. The
 * input scales count the padding as zeros.
 */
export function binaryConv(n: Layers, x: Value, channels: number, options: BinaryConvOptions): Value {
  const { kernel, stride = 1, levels = bwn(), inputScale, ...rest } = checkOptions(options, binaryConvOptionsNames);
  const { padding = (kernel - 1) >> 1, ...weight } = rest;
  const pads = [0, 0, padding, padding, 0, 0, padding, padding];
  const signs = signOf(n, x);
  const padded = padding === 0 ? signs : n.op("Pad", [signs, n.ints(pads), n.number(1)]);
  const y = conv(n, padded, channels, { kernel, stride, padding: 0, bias: false, levels, ...weight });
  if (!inputScale) return y;
  const means = n.op("AveragePool", [n.mean(n.abs(x), [1], true)], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    count_include_pad: 1,
  });
  return n.mul(y, means);
}

/** sign(x)·W over the last axis, without bias. */
export function binaryLinear(n: Layers, x: Value, features: number, options: BinaryLinearOptions = {}): Value {
  const { levels = bwn(), inputScale, ...weight } = checkOptions(options, binaryLinearOptionsNames);
  const y = linear(n, signOf(n, x), features, { bias: false, levels, ...weight });
  return inputScale ? n.mul(y, n.mean(n.abs(x), [-1], true)) : y;
}

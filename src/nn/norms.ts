/** @file Normalisations. */
import { float, tensorFromNumbers, type Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type Initialiser, ones, zeros } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";

export interface NormOptions {
  readonly epsilon?: number;
  /** Initial scale; ones by default. */
  readonly scale?: Initialiser;
}

const batchNormOptionNames: OptionNames<NormOptions & { readonly momentum?: number }> = {
  epsilon: true,
  scale: true,
  momentum: true,
};

/** Over the batch and all positions, per channel (axis 1); with running statistics. */
export function batchNorm(n: Layers, x: Value, options: NormOptions & { readonly momentum?: number } = {}): Value {
  const { epsilon = 1e-5, scale = ones, momentum = 0.9 } = checkOptions(options, batchNormOptionNames);
  const channels = lengthOf(x, 1);
  const statistic = (name: string, start: number) =>
    n.statistic(name, tensorFromNumbers("float32", [channels], new Array<number>(channels).fill(start)));
  const inputs = [x, n.parameter("scale", [channels], scale), n.parameter("bias", [channels], zeros)];
  return n.op("BatchNormalization", [...inputs, statistic("mean", 0), statistic("variance", 1)], {
    epsilon: float(epsilon),
    momentum: float(momentum),
  });
}

const normOptionsNames: OptionNames<NormOptions> = { epsilon: true, scale: true };

/** Over the last axis. */
export function layerNorm(n: Layers, x: Value, options: NormOptions = {}): Value {
  const { epsilon = 1e-5, scale = ones } = checkOptions(options, normOptionsNames);
  const width = lengthOf(x, -1);
  const inputs = [x, n.parameter("scale", [width], scale), n.parameter("bias", [width], zeros)];
  return n.op("LayerNormalization", inputs, { axis: -1, epsilon: float(epsilon) });
}

const groupNormOptionNames: OptionNames<NormOptions & { readonly groups: number }> = {
  epsilon: true,
  scale: true,
  groups: true,
};

/** Over groups of channels (axis 1) and all positions: Wu and He (2018), arXiv:1803.08494. */
export function groupNorm(n: Layers, x: Value, options: NormOptions & { readonly groups: number }): Value {
  const { groups, epsilon = 1e-5, scale = ones } = checkOptions(options, groupNormOptionNames);
  const channels = lengthOf(x, 1);
  const inputs = [x, n.parameter("scale", [channels], scale), n.parameter("bias", [channels], zeros)];
  return n.op("GroupNormalization", inputs, { num_groups: groups, epsilon: float(epsilon) });
}

/** x / √(mean x² + ε) · scale over the last axis: Zhang and Sennrich (2019), arXiv:1910.07467. */
export function rmsNorm(n: Layers, x: Value, options: NormOptions = {}): Value {
  const { epsilon = 1e-5, scale = ones } = checkOptions(options, normOptionsNames);
  const square = n.mean(n.mul(x, x), [-1], true);
  const unit = n.div(x, n.sqrt(n.add(square, epsilon)));
  return n.mul(unit, n.parameter("scale", [lengthOf(x, -1)], scale));
}

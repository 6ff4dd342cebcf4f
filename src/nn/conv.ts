/** @file Convolutions and pooling over [batch, channels, height, width]. */
import type { Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { fanInUniform, type Initialiser } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";
import type { WeightLevels } from "./weight-levels/index.ts";

export interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  /** On every side; by default what keeps the size at stride 1 with an odd kernel. */
  readonly padding?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly bias?: boolean;
  readonly weight?: Initialiser;
  /** What is computed with in the place of the weights; the weights themselves by default. */
  readonly levels?: WeightLevels;
}

const convOptionsNames: OptionNames<ConvOptions> = {
  kernel: true,
  stride: true,
  padding: true,
  dilation: true,
  groups: true,
  bias: true,
  weight: true,
  levels: true,
};

export function conv(n: Layers, x: Value, channels: number, options: ConvOptions): Value {
  checkOptions(options, convOptionsNames);
  const { kernel, stride = 1, dilation = 1, groups = 1, bias = true } = options;
  const { padding = (dilation * (kernel - 1)) >> 1 } = options;
  const inner = lengthOf(x, 1) / groups;
  const fanIn = inner * kernel * kernel;
  const master = n.parameter("weight", [channels, inner, kernel, kernel], options.weight ?? fanInUniform(fanIn));
  const weight = options.levels?.(n, master, [1, 2, 3]) ?? master;
  const shift = bias ? n.parameter("bias", [channels], fanInUniform(fanIn)) : undefined;
  return n.op("Conv", shift ? [x, weight, shift] : [x, weight], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    dilations: [dilation, dilation],
    group: groups,
  });
}

export interface PoolOptions {
  readonly kernel: number;
  /** The kernel by default. */
  readonly stride?: number;
  readonly padding?: number;
  /** Whether a window that begins inside and ends outside counts; false by default. */
  readonly ceil?: boolean;
}

const poolOptionsNames: OptionNames<PoolOptions> = { kernel: true, stride: true, padding: true, ceil: true };

export function maxPool(n: Layers, x: Value, options: PoolOptions): Value {
  checkOptions(options, poolOptionsNames);
  return pool(n, "MaxPool", x, options);
}

export function averagePool(n: Layers, x: Value, options: PoolOptions): Value {
  checkOptions(options, poolOptionsNames);
  return pool(n, "AveragePool", x, options);
}

/** [batch, channels, …] → [batch, channels]. */
export function globalAveragePool(n: Layers, x: Value): Value {
  return n.op("Flatten", [n.op("GlobalAveragePool", [x])], { axis: 1 });
}

function pool(
  n: Layers,
  opType: "MaxPool" | "AveragePool",
  x: Value,
  { kernel, stride = kernel, padding = 0, ceil = false }: PoolOptions,
): Value {
  return n.op(opType, [x], {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    ...(ceil && { ceil_mode: 1 }),
  });
}

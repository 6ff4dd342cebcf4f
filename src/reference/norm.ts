/** @file Normalizations. */
import { exactly, nth } from "../checked.ts";
import { floatOf, intOf, intsOf, sizeOf } from "../ir/index.ts";
import { type Dense, dense, numbers } from "./dense.ts";
import { zipped } from "./elementwise.ts";
import { normalAxis } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";
import { average, reduced, total } from "./reduce.ts";
import { alongAxis } from "./softmax.ts";

/** Per-channel numbers shaped to broadcast against `x`. */
function perChannel(v: Dense, x: Dense): Dense {
  return { ...v, dims: [nth(v.dims, 0), ...x.dims.slice(2).map(() => 1)] };
}

interface Moments {
  readonly mean: Dense;
  /** Mean squared distance from the mean (the population variance). */
  readonly variance: Dense;
}

function moments(x: Dense, axes: readonly number[], keep = true): Moments {
  const variance = (values: Float64Array): number => {
    const mean = average(values);
    return total(values.map((value) => (value - mean) ** 2)) / values.length;
  };
  return { mean: reduced(x, axes, keep, average), variance: reduced(x, axes, keep, variance) };
}

/** (x − mean) / √(variance + ε). */
function standardized(x: Dense, { mean, variance }: Moments, epsilon: number): Dense {
  const centred = zipped(x, mean, (a, b) => a - b);
  return zipped(centred, variance, (a, b) => a / Math.sqrt(b + epsilon));
}

function scaled(x: Dense, scale: Dense | undefined, bias: Dense | undefined): Dense {
  const y = scale ? zipped(x, scale, (a, b) => a * b) : x;
  return bias ? zipped(y, bias, (a, b) => a + b) : y;
}

/** With given statistics, or in training mode with those of the batch, which then move the running ones. */
function batchNorm(call: Call): Dense[] {
  const given = [0, 1, 2, 3, 4].map((i) => inputOf(call, i));
  const [x, scale, bias, mean, variance] = exactly(given, 5);
  const epsilon = floatOf(call.node, "epsilon", 1e-5);
  const momentum = floatOf(call.node, "momentum", 0.9);
  const training = intOf(call.node, "training_mode", 0) === 1;
  const apply = (given: Moments): Dense => {
    const channels: Moments = { mean: perChannel(given.mean, x), variance: perChannel(given.variance, x) };
    return scaled(standardized(x, channels, epsilon), perChannel(scale, x), perChannel(bias, x));
  };
  if (!training) return [apply({ mean, variance })];
  const axes = [...x.dims.keys()].filter((axis) => axis !== 1);
  const batch = moments(x, axes, false);
  const moved = (old: Dense, now: Dense): Dense => zipped(old, now, (a, b) => a * momentum + b * (1 - momentum));
  return [apply(batch), moved(mean, batch.mean), moved(variance, batch.variance)];
}

/** Also gives the mean and 1/√(variance + ε). */
function layerNorm(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const from = normalAxis(intOf(call.node, "axis", -1), x.dims.length);
  const axes = [...x.dims.keys()].slice(from);
  return layerNormalized(x, axes, inputOf(call, 1), optionalInput(call, 2), floatOf(call.node, "epsilon", 1e-5));
}

export function layerNormalized(
  x: Dense,
  axes: readonly number[],
  scale: Dense | undefined,
  bias: Dense | undefined,
  epsilon: number,
): Dense[] {
  const stats = moments(x, axes);
  const deviation = { ...stats.variance, data: numbers(stats.variance).map((v) => 1 / Math.sqrt(v + epsilon)) };
  return [scaled(standardized(x, stats, epsilon), scale, bias), stats.mean, deviation];
}

/** x / √(mean(x²) + ε) · scale. */
export function rmsNormalized(x: Dense, axes: readonly number[], scale: Dense | undefined, epsilon: number): Dense[] {
  const power = reduced(x, axes, true, (values) => total(values.map((v) => v * v)) / values.length);
  const inverse = { ...power, data: numbers(power).map((v) => 1 / Math.sqrt(v + epsilon)) };
  return [
    scaled(
      zipped(x, inverse, (a, b) => a * b),
      scale,
      undefined,
    ),
    inverse,
  ];
}

function rmsNorm(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const from = normalAxis(intOf(call.node, "axis", -1), x.dims.length);
  return rmsNormalized(x, [...x.dims.keys()].slice(from), inputOf(call, 1), floatOf(call.node, "epsilon", 1e-5)).slice(
    0,
    1,
  );
}

function instanceNorm(call: Call): Dense {
  const x = inputOf(call, 0);
  const axes = [...x.dims.keys()].slice(2);
  const y = standardized(x, moments(x, axes), floatOf(call.node, "epsilon", 1e-5));
  return scaled(y, perChannel(inputOf(call, 1), x), perChannel(inputOf(call, 2), x));
}

/** Scale and bias are per channel from opset 21 on, per group before. */
function groupNorm(call: Call): Dense {
  const [x, scale, bias] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  const groups = intOf(call.node, "num_groups", 1);
  const channels = nth(x.dims, 1);
  const grouped: Dense = { ...x, dims: [nth(x.dims, 0), groups, sizeOf(x.dims.slice(1)) / groups] };
  const y = standardized(grouped, moments(grouped, [2]), floatOf(call.node, "epsilon", 1e-5));
  const spread = (v: Dense): Dense => {
    const values = numbers(v);
    if (values.length === channels) return perChannel(v, x);
    const repeated = Array.from({ length: channels }, (_, c) => values[Math.floor(c / (channels / groups))]!);
    return perChannel(dense(v.dtype, [channels], repeated), x);
  };
  return scaled({ ...y, dims: x.dims }, spread(scale), spread(bias));
}

/** x / (bias + α/size · Σ x²)^β over a window of channels. */
function localResponse(call: Call): Dense {
  const x = inputOf(call, 0);
  const { node } = call;
  const size = intOf(node, "size", 1);
  const [alpha, beta, bias] = [floatOf(node, "alpha", 1e-4), floatOf(node, "beta", 0.75), floatOf(node, "bias", 1)];
  const [back, ahead] = [Math.floor((size - 1) / 2), Math.ceil((size - 1) / 2)];
  return alongAxis(x, 1, (line) =>
    line.map((value, c) => {
      const window = line.subarray(Math.max(0, c - back), c + ahead + 1);
      return value / (bias + (alpha / size) * total(window.map((v) => v * v))) ** beta;
    }),
  );
}

function lpNorm(call: Call): Dense {
  const x = inputOf(call, 0);
  const p = intOf(call.node, "p", 2);
  return alongAxis(x, normalAxis(intOf(call.node, "axis", -1), x.dims.length), (line) => {
    const norm = p === 1 ? total(line.map(Math.abs)) : Math.sqrt(total(line.map((v) => v * v)));
    return norm === 0 ? line : line.map((v) => v / norm);
  });
}

function meanVarianceNorm(call: Call): Dense {
  const x = inputOf(call, 0);
  const stats = moments(x, intsOf(call.node, "axes") ?? [0, 2, 3]);
  const centred = zipped(x, stats.mean, (a, b) => a - b);
  return zipped(centred, stats.variance, (a, b) => a / (Math.sqrt(b) + 1e-9));
}

export const normalizations = {
  BatchNormalization: batchNorm,
  LayerNormalization: layerNorm,
  RMSNormalization: rmsNorm,
  InstanceNormalization: instanceNorm,
  GroupNormalization: groupNorm,
  LRN: localResponse,
  LpNormalization: lpNorm,
  MeanVarianceNormalization: meanVarianceNorm,
} satisfies Kernels;

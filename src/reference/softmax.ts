/** @file Softmax and its kin. */
import { intOf, sizeOf } from "../ir/index.ts";
import { type Dense, dense, numbers, reshaped } from "./dense.ts";
import { forEachLine, linesOf, normalAxis } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels } from "./kernel.ts";
import { largest, logSumExp } from "./reduce.ts";

/** Replaces every line along an axis. */
export function alongAxis(x: Dense, axis: number, f: (line: Float64Array) => ArrayLike<number>): Dense {
  const { length } = linesOf(x.dims, axis);
  const values = numbers(x);
  const result = new Float64Array(values.length);
  forEachLine(x.dims, axis, (start, step) => {
    const line = f(new Float64Array(length).map((_, i) => values[start + i * step]!));
    for (let i = 0; i < length; i++) result[start + i * step] = line[i]!;
  });
  return dense(x.dtype, x.dims, result);
}

/** From opset 13 along one axis; before, over all axes from `axis` on together. */
function perLine(f: (line: Float64Array) => ArrayLike<number>): Kernel {
  return (call: Call) => {
    const x = inputOf(call, 0);
    const axis = normalAxis(intOf(call.node, "axis", call.version < 13 ? 1 : -1), x.dims.length);
    if (call.version >= 13) return alongAxis(x, axis, f);
    const flat = [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))];
    return reshaped(alongAxis(reshaped(x, flat), 1, f), x.dims);
  };
}

/** exp(xᵢ − max) / Σ exp(xⱼ − max). */
export function softmaxLine(line: Float64Array): Float64Array {
  const top = largest(line);
  const powers = line.map((value) => Math.exp(value - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((value) => value / sum);
}

export function logSoftmaxLine(line: Float64Array): Float64Array {
  const shift = logSumExp(line);
  return line.map((value) => value - shift);
}

export const softmaxes = {
  Softmax: perLine(softmaxLine),
  LogSoftmax: perLine(logSoftmaxLine),
  Hardmax: perLine((line) => {
    const at = line.indexOf(largest(line));
    return line.map((_, i) => (i === at ? 1 : 0));
  }),
} satisfies Kernels;

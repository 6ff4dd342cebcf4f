/** @file Convolutions of any rank, with groups, and their transposes. */
import { atLeast, exactly, lastOf, nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { intOf, intsOf, sizeOf, stringOf } from "../ir/index.ts";
import { bounded, type Dense, dense, numbers } from "./dense.ts";
import { activations } from "./elementwise.ts";
import { forEachIndex, stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";
import { tapsOf, type Window, windowOf } from "./window.ts";

/** y[n, m, o] = b[m] + Σ x[n, c, o·stride + k·dilation − pad] · w[m, c, k], c over the channels of m's group. */
export function convolve(call: Call, x: Dense, w: Dense, bias?: Dense): Dense {
  const [batch, channels] = [nth(x.dims, 0), nth(x.dims, 1)];
  const [filters, inner] = [nth(w.dims, 0), nth(w.dims, 1)];
  const groups = intOf(call.node, "group", 1);
  if (inner * groups !== channels || filters % groups !== 0) {
    throw new ShapeError("channels and groups do not fit", {
      expected: `${channels} input channels = ${inner} × group`,
      got: `group ${groups}, ${filters} filters`,
      where: call.where,
    });
  }
  const window = windowOf(call, x.dims.slice(2), w.dims.slice(2));
  const taps = tapsOf(window);
  const places = sizeOf(window.output);
  const result = new Float64Array(bounded(batch * filters * places));
  const b = bias && numbers(bias);
  const cells = sizeOf(window.input);
  const weights = numbers(w);
  const width = sizeOf(window.kernel);
  for (let n = 0; n < batch; n++) {
    for (let m = 0; m < filters; m++) {
      const out = result.subarray((n * filters + m) * places, (n * filters + m + 1) * places).fill(b?.[m] ?? 0);
      const first = n * channels + Math.floor(m / (filters / groups)) * inner;
      for (let c = 0; c < inner; c++) {
        const from = numbers(x).subarray((first + c) * cells, (first + c + 1) * cells);
        const at = (m * inner + c) * width;
        correlate(out, from, weights.subarray(at, at + width), taps);
      }
    }
  }
  return dense(x.dtype, [batch, filters, ...window.output], result);
}

/** Adds the correlation of one channel with one kernel to `out`. */
function correlate(out: Float64Array, from: Float64Array, weights: Float64Array, taps: Int32Array): void {
  const width = weights.length;
  for (let place = 0, tap = 0; place < out.length; place++) {
    let sum = 0;
    for (let k = 0; k < width; k++, tap++) {
      const cell = taps[tap]!;
      if (cell >= 0) sum += from[cell]! * weights[k]!;
    }
    out[place]! += sum;
  }
}

/** Where the output of a transposed convolution lies: its dims, and the pads cut away before each axis. */
function transposedWindow(call: Call, input: readonly number[], kernel: readonly number[]): Window {
  const { node } = call;
  const ones = kernel.map(() => 1);
  const strides = intsOf(node, "strides") ?? ones;
  const dilations = intsOf(node, "dilations") ?? ones;
  const extra = intsOf(node, "output_padding") ?? kernel.map(() => 0);
  const mode = stringOf(node, "auto_pad", "NOTSET");
  const pads = (mode === "NOTSET" ? intsOf(node, "pads") : undefined) ?? [...kernel, ...kernel].map(() => 0);
  const shape = intsOf(node, "output_shape")?.slice(-kernel.length);
  const full = input.map(
    (length, i) => (length - 1) * nth(strides, i) + nth(extra, i) + (nth(kernel, i) - 1) * nth(dilations, i) + 1,
  );
  // SAME cuts down to a multiple of the stride and never adds to what the windows cover.
  const same = (length: number, i: number): number => Math.min(nth(full, i), length * nth(strides, i));
  const wanted = shape ?? (mode.startsWith("SAME") ? input.map(same) : undefined);
  const total = full.map((length, i) =>
    wanted ? Math.max(0, length - nth(wanted, i)) : nth(pads, i) + nth(pads, i + kernel.length),
  );
  const before = total.map((cells, i) => {
    if (!wanted) return nth(pads, i);
    return mode === "SAME_UPPER" ? Math.floor(cells / 2) : Math.ceil(cells / 2);
  });
  const output = wanted ?? full.map((length, i) => length - nth(total, i));
  bounded(sizeOf(output) * sizeOf(kernel));
  // As a convolution from `output` back to `input`, so that its taps can be used the other way round.
  const after = output.map(() => 0);
  return { input: output, kernel, output: input, strides, dilations, before, after };
}

/** y[n, m, i·stride + k·dilation − pad] += x[n, c, i] · w[c, m, k]. */
function convolveTransposed(call: Call): Dense {
  const [x, w, bias] = [inputOf(call, 0), inputOf(call, 1), optionalInput(call, 2)];
  const groups = intOf(call.node, "group", 1);
  const window = transposedWindow(call, x.dims.slice(2), w.dims.slice(2));
  const [batch, channels, perGroup] = [nth(x.dims, 0), nth(x.dims, 1), nth(w.dims, 1)];
  const filters = perGroup * groups;
  const [cells, places] = [sizeOf(window.output), sizeOf(window.input)];
  const taps = tapsOf(window);
  const [values, weights, b] = [numbers(x), numbers(w), bias && numbers(bias)];
  const width = sizeOf(window.kernel);
  const result = new Float64Array(bounded(batch * filters * places));
  if (b) for (let i = 0; i < result.length; i++) result[i] = b[Math.floor(i / places) % filters]!;
  for (let n = 0; n < batch; n++) {
    for (let c = 0; c < channels; c++) {
      const from = values.subarray((n * channels + c) * cells, (n * channels + c + 1) * cells);
      const group = Math.floor(c / (channels / groups));
      for (let m = 0; m < perGroup; m++) {
        const to = (n * filters + group * perGroup + m) * places;
        const at = (c * perGroup + m) * width;
        spread(result.subarray(to, to + places), from, weights.subarray(at, at + width), taps);
      }
    }
  }
  return dense(x.dtype, [batch, filters, ...window.input], result);
}

function spread(out: Float64Array, from: Float64Array, weights: Float64Array, taps: Int32Array): void {
  const width = weights.length;
  for (let cell = 0, tap = 0; cell < from.length; cell++) {
    for (let k = 0; k < width; k++, tap++) {
      const place = taps[tap]!;
      if (place >= 0) out[place]! += from[cell]! * weights[k]!;
    }
  }
}

/** Sums the columns of an image back into it: the transpose of cutting it into blocks. */
function columnsToImage(call: Call): Dense {
  const [columns, image, block] = [inputOf(call, 0), numbers(inputOf(call, 1)), numbers(inputOf(call, 2))];
  const window = windowOf(call, [...image], [...block]);
  const taps = tapsOf(window);
  const [width, places, cells] = [sizeOf(window.kernel), sizeOf(window.output), sizeOf(window.input)];
  const [batch, channels] = [nth(columns.dims, 0), nth(columns.dims, 1) / width];
  const values = numbers(columns);
  const result = new Float64Array(bounded(batch * channels * cells));
  for (let plane = 0; plane < batch * channels; plane++) {
    for (let place = 0; place < places; place++) {
      for (let k = 0; k < width; k++) {
        const cell = taps[place * width + k]!;
        if (cell >= 0) result[plane * cells + cell]! += values[(plane * width + k) * places + place]!;
      }
    }
  }
  return dense(columns.dtype, [batch, channels, ...window.input], result);
}

/** A convolution whose taps are moved by learned offsets and weighed by a mask; samples are bilinear. */
function convolveDeformed(call: Call): Dense {
  const [x, w, offset] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  const [bias, mask] = [optionalInput(call, 3), optionalInput(call, 4)];
  const window = windowOf(call, x.dims.slice(2), w.dims.slice(2));
  if (window.input.length !== 2) throw new ShapeError("DeformConv is evaluated in 2 dims only", { where: call.where });
  const [batch, channels] = atLeast(x.dims, 2);
  const [filters, inner] = atLeast(w.dims, 2);
  const perFilterGroup = filters / intOf(call.node, "group", 1);
  const perOffsetGroup = channels / intOf(call.node, "offset_group", 1);
  const [width, places] = [sizeOf(window.kernel), sizeOf(window.output)];
  const offsetGroups = channels / perOffsetGroup;
  const [shifts, weights, masks] = [numbers(offset), numbers(w), mask && numbers(mask)];
  const result = new Float64Array(bounded(batch * filters * places));
  forEachIndex([batch, filters, ...exactly(window.output, 2)], ([n, m, oy, ox], flat) => {
    let sum = bias ? numbers(bias)[m]! : 0;
    forEachIndex([inner, ...exactly(window.kernel, 2)], ([c, ky, kx], tap) => {
      const channel = Math.floor(m / perFilterGroup) * inner + c;
      const group = n * offsetGroups + Math.floor(channel / perOffsetGroup);
      const k = tap % width;
      const place = oy * nth(window.output, 1) + ox;
      const dy = shifts[((group * width + k) * 2 + 0) * places + place]!;
      const dx = shifts[((group * width + k) * 2 + 1) * places + place]!;
      const weight = weights[m * inner * width + tap]! * (masks?.[(group * width + k) * places + place] ?? 1);
      const py = oy * nth(window.strides, 0) - nth(window.before, 0) + ky * nth(window.dilations, 0) + dy;
      const px = ox * nth(window.strides, 1) - nth(window.before, 1) + kx * nth(window.dilations, 1) + dx;
      sum += weight * bilinear(numbers(x), (n * channels + channel) * sizeOf(window.input), window.input, py, px);
    });
    result[flat] = sum;
  });
  return dense(x.dtype, [batch, filters, ...window.output], result);
}

/** The image at a real position, zero outside. */
export function bilinear(values: Float64Array, start: number, dims: readonly number[], y: number, x: number): number {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [rowStep] = atLeast(stridesOf(dims), 1);
  const at = (row: number, column: number): number =>
    row < 0 || row >= nth(dims, 0) || column < 0 || column >= nth(dims, 1)
      ? 0
      : values[start + row * rowStep + column]!;
  const [fy, fx] = [y - top, x - left];
  return (
    (1 - fy) * ((1 - fx) * at(top, left) + fx * at(top, left + 1)) +
    fy * ((1 - fx) * at(top + 1, left) + fx * at(top + 1, left + 1))
  );
}

/** Causal depthwise convolution over the last axis, with the last K − 1 inputs carried in and out. */
function causalConv(call: Call): Dense[] {
  const [x, w, bias, past] = [inputOf(call, 0), inputOf(call, 1), optionalInput(call, 2), optionalInput(call, 3)];
  const [batch, channels, length] = [nth(x.dims, 0), nth(x.dims, 1), nth(x.dims, 2)];
  const width = lastOf(w.dims);
  const carried = width - 1;
  const [values, weights, before] = [numbers(x), numbers(w), past && numbers(past)];
  const cell = (plane: number, at: number): number =>
    at >= 0 ? values[plane * length + at]! : (before?.[plane * carried + at + carried] ?? 0);
  const activate = activations[stringOf(call.node, "activation", "none") === "none" ? "Affine" : "Sigmoid"]!();
  const gated = stringOf(call.node, "activation", "none") !== "none";
  const y = new Float64Array(bounded(batch * channels * length));
  const state = new Float64Array(bounded(batch * channels * carried));
  for (let plane = 0; plane < batch * channels; plane++) {
    const channel = plane % channels;
    for (let t = 0; t < length; t++) {
      let sum = bias ? numbers(bias)[channel]! : 0;
      for (let k = 0; k < width; k++) sum += weights[channel * width + k]! * cell(plane, t + k - carried);
      y[plane * length + t] = gated ? sum * activate(sum) : sum;
    }
    for (let k = 0; k < carried; k++) state[plane * carried + k] = cell(plane, length + k - carried);
  }
  return [dense(x.dtype, x.dims, y), dense(x.dtype, [batch, channels, carried], state)];
}

export const convolutions = {
  Conv: (call) => convolve(call, inputOf(call, 0), inputOf(call, 1), optionalInput(call, 2)),
  ConvTranspose: convolveTransposed,
  Col2Im: columnsToImage,
  DeformConv: convolveDeformed,
  CausalConvWithState: causalConv,
} satisfies Kernels;

/** @file Operators that move elements and compute nothing. Each is a list of source indices. */
import { atLeast, fromEnd, lastOf, nth } from "../checked.ts";
import { boundsOf, intOf, intsOf, sizeOf, stringOf } from "../ir/index.ts";
import { bounded, type Dense, dense, isBig, numbers, reshaped, select, slotsOf } from "./dense.ts";
import {
  broadcastDims,
  broadcastTo,
  concatenated,
  forEachIndex,
  grid,
  normalAxis,
  sliced,
  stridesOf,
  transposed,
} from "./indexing.ts";
import {
  type Call,
  inputOf,
  type Kernels,
  listInput,
  optionalInput,
  presentInputs,
  scalarInput,
  unsupported,
} from "./kernel.ts";

/** 0 copies the input's dim (unless `allowzero`), one −1 takes what is left. */
function reshape(call: Call): Dense {
  const x = inputOf(call, 0);
  const asked = listInput(call, 1) ?? [...(intsOf(call.node, "shape") ?? [])];
  const keepZero = intOf(call.node, "allowzero", 0) === 1;
  const dims = asked.map((dim, axis) => (dim === 0 && !keepZero ? nth(x.dims, axis) : dim));
  const known = sizeOf(dims.filter((dim) => dim !== -1));
  return reshaped(
    x,
    dims.map((dim) => (dim === -1 ? (known === 0 ? 0 : sizeOf(x.dims) / known) : dim)),
  );
}

function flatten(call: Call): Dense {
  const x = inputOf(call, 0);
  const given = intOf(call.node, "axis", 1);
  const axis = given < 0 ? given + x.dims.length : given;
  return reshaped(x, [sizeOf(x.dims.slice(0, axis)), sizeOf(x.dims.slice(axis))]);
}

function squeeze(call: Call): Dense {
  const x = inputOf(call, 0);
  const axes = listInput(call, 1) ?? intsOf(call.node, "axes");
  const dropped = axes?.map((axis) => normalAxis(axis, x.dims.length));
  return reshaped(
    x,
    x.dims.filter((dim, axis) => (dropped ? !dropped.includes(axis) : dim !== 1)),
  );
}

function unsqueeze(call: Call): Dense {
  const x = inputOf(call, 0);
  const axes = listInput(call, 1) ?? intsOf(call.node, "axes") ?? [];
  const rank = x.dims.length + axes.length;
  const added = new Set(axes.map((axis) => normalAxis(axis, rank)));
  let next = 0;
  return reshaped(
    x,
    Array.from({ length: rank }, (_, axis) => (added.has(axis) ? 1 : nth(x.dims, next++))),
  );
}

function transpose(call: Call): Dense {
  const x = inputOf(call, 0);
  return transposed(x, intsOf(call.node, "perm") ?? [...x.dims.keys()].reverse());
}

function concat(call: Call): Dense {
  const parts = presentInputs(call);
  return concatenated(parts, normalAxis(intOf(call.node, "axis", 1), nth(parts, 0).dims.length));
}

/** Equal parts, the last one smaller, when no lengths are given. */
function split(call: Call): Dense[] {
  const x = inputOf(call, 0);
  const axis = normalAxis(intOf(call.node, "axis", 0), x.dims.length);
  const count = intOf(call.node, "num_outputs", call.node.outputs.length);
  const each = Math.ceil(nth(x.dims, axis) / count);
  const equal = Array.from({ length: count }, (_, i) => Math.max(0, Math.min(each, nth(x.dims, axis) - i * each)));
  return parts(x, axis, listInput(call, 1) ?? intsOf(call.node, "split") ?? equal);
}

/** Consecutive parts of the given lengths. */
export function parts(x: Dense, axis: number, lengths: readonly number[]): Dense[] {
  let start = 0;
  return lengths.map((length) => {
    start += length;
    return sliced(x, axis, start - length, length);
  });
}

/** Starts and ends are clamped; a step may be negative. Attributes before opset 10, inputs from then on. */
function slice(call: Call): Dense {
  const x = inputOf(call, 0);
  const starts = listInput(call, 1) ?? boundsOf(call.node, "starts") ?? [];
  const ends = listInput(call, 2) ?? boundsOf(call.node, "ends") ?? [];
  const axes = listInput(call, 3) ?? intsOf(call.node, "axes") ?? starts.map((_, i) => i);
  const steps = listInput(call, 4) ?? starts.map(() => 1);
  const strides = stridesOf(x.dims);
  const dims = [...x.dims];
  let offset = 0;
  axes.forEach((given, i) => {
    const axis = normalAxis(given, x.dims.length);
    const length = nth(x.dims, axis);
    const step = nth(steps, i);
    const clamp = (at: number, low: number, high: number): number =>
      Math.min(high, Math.max(low, at < 0 ? at + length : at));
    const start = step > 0 ? clamp(nth(starts, i), 0, length) : clamp(nth(starts, i), 0, length - 1);
    const end = step > 0 ? clamp(nth(ends, i), 0, length) : clamp(nth(ends, i), -1, length - 1);
    dims[axis] = Math.max(0, Math.ceil((end - start) / step));
    offset += start * nth(strides, axis);
    strides[axis]! *= step;
  });
  return select(x, dims, sizeOf(dims) === 0 ? [] : grid(dims, strides, offset));
}

/** Where a cell of the padded line comes from; -1 for the constant. */
const padSource: Readonly<Record<string, (at: number, length: number) => number>> = {
  constant: (at, length) => (at < 0 || at >= length ? -1 : at),
  edge: (at, length) => Math.min(length - 1, Math.max(0, at)),
  wrap: (at, length) => ((at % length) + length) % length,
  reflect: (at, length) => {
    if (length === 1) return 0;
    const period = 2 * (length - 1);
    const phase = ((at % period) + period) % period;
    return phase < length ? phase : period - phase;
  },
};

function pad(call: Call): Dense {
  const x = inputOf(call, 0);
  const source = padSource[stringOf(call.node, "mode", "constant")];
  if (!source) throw unsupported(call, "this padding mode");
  const axes = listInput(call, 3)?.map((axis) => normalAxis(axis, x.dims.length)) ?? [...x.dims.keys()];
  const given = listInput(call, 1) ?? intsOf(call.node, "pads") ?? intsOf(call.node, "paddings") ?? [];
  const before = x.dims.map(() => 0);
  const dims = [...x.dims];
  // What negative amounts cut is gone before anything is copied.
  const first = x.dims.map(() => 0);
  const kept = [...x.dims];
  axes.forEach((axis, i) => {
    const [begin, end] = [nth(given, i), nth(given, i + axes.length)];
    before[axis] = Math.max(0, begin);
    first[axis] = Math.max(0, -begin);
    dims[axis]! += begin + end;
    kept[axis]! += Math.min(0, begin) + Math.min(0, end);
  });
  const strides = stridesOf(x.dims);
  const from = new Int32Array(bounded(sizeOf(dims)));
  forEachIndex(dims, (index, flat) => {
    let sum = 0;
    for (let axis = 0; axis < dims.length && sum >= 0; axis++) {
      const at = source(nth(index, axis) - nth(before, axis), nth(kept, axis));
      sum = at < 0 ? -1 : sum + (nth(first, axis) + at) * nth(strides, axis);
    }
    from[flat] = sum;
  });
  return filled(select(x, dims, from), from, padValue(call, x));
}

function padValue(call: Call, x: Dense): Dense | undefined {
  const value = call.node.attributes.get("value");
  return value?.type === "float" ? dense(x.dtype, [1], [value.value]) : optionalInput(call, 2);
}

/** Puts `value` wherever the source is -1. */
function filled(x: Dense, source: Int32Array, value: Dense | undefined): Dense {
  if (!value) return x;
  const to = slotsOf(x);
  source.forEach((at, i) => {
    if (at < 0) to[i] = value.data[0];
  });
  return x;
}

function tile(call: Call): Dense {
  const x = inputOf(call, 0);
  const repeats = numbers(inputOf(call, 1));
  const dims = x.dims.map((dim, axis) => dim * repeats[axis]!);
  // Each axis is read as repeats × length, the repeats with stride 0.
  const strides = stridesOf(x.dims);
  const source = grid(
    x.dims.flatMap((dim, axis) => [repeats[axis]!, dim]),
    strides.flatMap((stride) => [0, stride]),
  );
  return select(x, dims, source);
}

function expand(call: Call): Dense {
  const x = inputOf(call, 0);
  return broadcastTo(x, broadcastDims(x.dims, numbers(inputOf(call, 1)) as unknown as number[]));
}

function depthToSpace(call: Call): Dense {
  const x = inputOf(call, 0);
  const block = intOf(call.node, "blocksize", 1);
  const [n, c, h, w] = atLeast(x.dims, 4);
  const depth = c / block ** 2;
  const columnFirst = stringOf(call.node, "mode", "DCR") === "DCR";
  const split = reshaped(x, columnFirst ? [n, block, block, depth, h, w] : [n, depth, block, block, h, w]);
  return reshaped(transposed(split, columnFirst ? [0, 3, 4, 1, 5, 2] : [0, 1, 4, 2, 5, 3]), [
    n,
    depth,
    h * block,
    w * block,
  ]);
}

function spaceToDepth(call: Call): Dense {
  const x = inputOf(call, 0);
  const block = intOf(call.node, "blocksize", 1);
  const [n, c, h, w] = atLeast(x.dims, 4);
  const split = reshaped(x, [n, c, h / block, block, w / block, block]);
  return reshaped(transposed(split, [0, 3, 5, 1, 2, 4]), [n, c * block ** 2, h / block, w / block]);
}

/** The lower or upper triangle of the last two axes. */
function trilu(call: Call): Dense {
  const x = inputOf(call, 0);
  const shift = scalarInput(call, 1, 0);
  const upper = intOf(call.node, "upper", 1) === 1;
  const source = new Int32Array(bounded(sizeOf(x.dims)));
  forEachIndex(x.dims, (index, flat) => {
    const diagonal = lastOf(index) - fromEnd(index, 2);
    source[flat] = (upper ? diagonal >= shift : diagonal <= shift) ? flat : -1;
  });
  return select(x, x.dims, source);
}

/** Crops or pads axes around their centre. */
function centerCropPad(call: Call): Dense {
  const x = inputOf(call, 0);
  const wanted = numbers(inputOf(call, 1));
  const axes = intsOf(call.node, "axes")?.map((axis) => normalAxis(axis, x.dims.length)) ?? [...x.dims.keys()];
  return axes.reduce((y, axis, i) => {
    const [have, want] = [nth(y.dims, axis), wanted[i]!];
    if (want <= have) return sliced(y, axis, Math.floor((have - want) / 2), want);
    const zeros = (length: number): Dense => {
      const dims = y.dims.with(axis, length);
      return select(y, dims, new Int32Array(bounded(sizeOf(dims))).fill(-1));
    };
    const before = Math.floor((want - have) / 2);
    return concatenated([zeros(before), y, zeros(want - have - before)], axis);
  }, x);
}

/** Reverses the first `lengths[b]` steps of every batch entry. */
function reverseSequence(call: Call): Dense {
  const [x, lengths] = [inputOf(call, 0), numbers(inputOf(call, 1))];
  const time = intOf(call.node, "time_axis", 0);
  const batch = intOf(call.node, "batch_axis", 1);
  const strides = stridesOf(x.dims);
  const source = new Int32Array(bounded(sizeOf(x.dims)));
  forEachIndex(x.dims, (index, flat) => {
    const length = lengths[nth(index, batch)]!;
    const at = nth(index, time);
    source[flat] = at < length ? flat + (length - 1 - 2 * at) * nth(strides, time) : flat;
  });
  return select(x, x.dims, source);
}

/** Legacy `Crop`: cuts borders (left, top, right, bottom) off the last two axes. */
function crop(call: Call): Dense {
  const x = inputOf(call, 0);
  const [left = 0, top = 0, right = 0, bottom = 0] = intsOf(call.node, "border") ?? [];
  const scale = intsOf(call.node, "scale");
  const [h, w] = [fromEnd(x.dims, 2), lastOf(x.dims)];
  const rank = x.dims.length;
  const rows = sliced(x, rank - 2, top, scale?.[0] ?? h - top - bottom);
  return sliced(rows, rank - 1, left, scale?.[1] ?? w - left - right);
}

function compress(call: Call): Dense {
  const [x, condition] = [inputOf(call, 0), numbers(inputOf(call, 1))];
  const axis = intOf(call.node, "axis");
  const chosen = [...condition.keys()].filter((i) => condition[i] !== 0);
  if (axis === undefined) return select(x, [chosen.length], chosen);
  const along = normalAxis(axis, x.dims.length);
  const dims = x.dims.with(along, chosen.length);
  const strides = stridesOf(x.dims);
  const source = new Int32Array(bounded(sizeOf(dims)));
  forEachIndex(dims, (index, flat) => {
    source[flat] = index.reduce((sum, i, a) => sum + (a === along ? nth(chosen, i) : i) * nth(strides, a), 0);
  });
  return select(x, dims, source);
}

function nonZero(call: Call): Dense {
  const x = inputOf(call, 0);
  const found: (readonly number[])[] = [];
  const zero = isBig(x.dtype) ? 0n : x.dtype === "string" ? "" : 0;
  forEachIndex(x.dims, (index, flat) => {
    if (x.data[flat] !== zero) found.push([...index]);
  });
  const rank = x.dims.length;
  return dense(
    "int64",
    [rank, found.length],
    Array.from({ length: rank }, (_, axis) => found.map((index) => nth(index, axis))).flat(),
  );
}

export const movements = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
  Split: split,
  Slice: slice,
  Pad: pad,
  Tile: tile,
  Expand: expand,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Trilu: trilu,
  CenterCropPad: centerCropPad,
  ReverseSequence: reverseSequence,
  Crop: crop,
  Compress: compress,
  NonZero: nonZero,
} satisfies Kernels;

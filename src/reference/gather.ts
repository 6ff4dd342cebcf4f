/** @file Reading and writing at indices. */
import { lastOf, nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { intOf, sizeOf, stringOf } from "../ir/index.ts";
import { bounded, type Dense, isBig, largerOf, numbers, select, smallerOf } from "./dense.ts";
import { forEachIndex, normalAxis, stridesOf } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, unsupported } from "./kernel.ts";

/** An index into a dim, counted from the end when negative. */
function inside(index: number, length: number): number {
  const at = index < 0 ? index + length : index;
  if (at >= 0 && at < length) return at;
  throw new ShapeError("an index is out of range", { expected: `-${length} to ${length - 1}`, got: `${index}` });
}

/** Whole slices along an axis: the dims of the indices take its place. */
export function gathered(x: Dense, indices: Dense, axis: number): Dense {
  const length = nth(x.dims, axis);
  const inner = sizeOf(x.dims.slice(axis + 1));
  const outer = sizeOf(x.dims.slice(0, axis));
  const at = numbers(indices).map((index) => inside(index, length));
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
  const source = new Int32Array(bounded(sizeOf(dims)));
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const index of at) for (let i = 0; i < inner; i++) source[to++] = (o * length + index) * inner + i;
  }
  return select(x, dims, source);
}

function gather(call: Call): Dense {
  const x = inputOf(call, 0);
  return gathered(x, inputOf(call, 1), normalAxis(intOf(call.node, "axis", 0), x.dims.length));
}

/** For each index element, the flat place in an array of `dims` that it points to along `axis`. */
function elementPlaces(dims: readonly number[], indices: Dense, axis: number): Int32Array {
  const strides = stridesOf(dims);
  const at = numbers(indices);
  const places = new Int32Array(at.length);
  forEachIndex(indices.dims, (index, flat) => {
    let place = 0;
    for (let a = 0; a < dims.length; a++)
      place += (a === axis ? inside(at[flat]!, nth(dims, a)) : nth(index, a)) * nth(strides, a);
    places[flat] = place;
  });
  return places;
}

function gatherElements(call: Call): Dense {
  const [x, indices] = [inputOf(call, 0), inputOf(call, 1)];
  return select(
    x,
    indices.dims,
    elementPlaces(x.dims, indices, normalAxis(intOf(call.node, "axis", 0), x.dims.length)),
  );
}

/** For each element of the slices that index tuples point to, its flat place in an array of `dims`. */
function slicePlaces(dims: readonly number[], indices: Dense, batchDims: number): Int32Array {
  const width = lastOf(indices.dims);
  const strides = stridesOf(dims);
  const inner = sizeOf(dims.slice(batchDims + width));
  const tuples = sizeOf(indices.dims.slice(0, -1));
  const perBatch = sizeOf(indices.dims.slice(batchDims, -1));
  const batchSize = sizeOf(dims.slice(batchDims));
  const at = numbers(indices);
  const places = new Int32Array(bounded(tuples * inner));
  for (let tuple = 0; tuple < tuples; tuple++) {
    let start = Math.floor(tuple / perBatch) * batchSize;
    for (let k = 0; k < width; k++) {
      start += inside(at[tuple * width + k]!, nth(dims, batchDims + k)) * nth(strides, batchDims + k);
    }
    for (let i = 0; i < inner; i++) places[tuple * inner + i] = start + i;
  }
  return places;
}

function gatherND(call: Call): Dense {
  const [x, indices] = [inputOf(call, 0), inputOf(call, 1)];
  const batchDims = intOf(call.node, "batch_dims", 0);
  const dims = [...indices.dims.slice(0, -1), ...x.dims.slice(batchDims + lastOf(indices.dims))];
  return select(x, dims, slicePlaces(x.dims, indices, batchDims));
}

type Combine = (old: number | bigint, update: number | bigint) => number | bigint;

/** How an update meets what is there, by the value of the attribute `reduction`. Both are numbers or both bigints. */
const combinations: Readonly<Record<string, Combine>> = {
  none: (_, update) => update,
  add: (old, update) => (old as number) + (update as number),
  mul: (old, update) => (old as number) * (update as number),
  max: largerOf,
  min: smallerOf,
};

function scattered(call: Call, x: Dense, updates: Dense, places: Int32Array): Dense {
  const combine = combinations[stringOf(call.node, "reduction", "none")];
  if (!combine) throw unsupported(call, "this reduction");
  if (isBig(x.dtype) !== isBig(updates.dtype)) throw unsupported(call, "mixing dtypes");
  const result = select(
    x,
    x.dims,
    new Int32Array(sizeOf(x.dims)).map((_, i) => i),
  );
  const to = result.data as unknown as (number | bigint)[];
  const from = updates.data as unknown as (number | bigint)[];
  places.forEach((place, i) => {
    to[place] = combine(nth(to, place), nth(from, i));
  });
  return result;
}

function scatterElements(call: Call): Dense {
  const [x, indices, updates] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  const axis = normalAxis(intOf(call.node, "axis", 0), x.dims.length);
  return scattered(call, x, updates, elementPlaces(x.dims, indices, axis));
}

const scatterND: Kernel = (call) => {
  const [x, indices, updates] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  return scattered(call, x, updates, slicePlaces(x.dims, indices, 0));
};

/** Writes a block of steps into a cache at each batch entry's position, wrapping around in the circular mode. */
function tensorScatter(call: Call): Dense {
  const [cache, update] = [inputOf(call, 0), inputOf(call, 1)];
  const starts = call.inputs[2] ? numbers(inputOf(call, 2)) : new Float64Array(nth(cache.dims, 0));
  const axis = normalAxis(intOf(call.node, "axis", -2), cache.dims.length);
  const circular = stringOf(call.node, "mode", "linear") === "circular";
  const length = nth(cache.dims, axis);
  const strides = stridesOf(cache.dims);
  const places = new Int32Array(bounded(sizeOf(update.dims)));
  forEachIndex(update.dims, (index, flat) => {
    const moved = nth(index, axis) + starts[nth(index, 0)]!;
    const at = circular ? moved % length : inside(moved, length);
    places[flat] = index.reduce((sum, i, a) => sum + (a === axis ? at : i) * nth(strides, a), 0);
  });
  return scattered(call, cache, update, places);
}

export const gathers = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherND,
  Scatter: scatterElements,
  ScatterElements: scatterElements,
  ScatterND: scatterND,
  TensorScatter: tensorScatter,
} satisfies Kernels;

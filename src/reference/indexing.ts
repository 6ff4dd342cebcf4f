/** @file Flat indices of grids: strides, broadcasting, axes and lines along an axis. */
import { nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { maxOf, sizeOf } from "../ir/index.ts";
import { bounded, type Dense, select, slotsOf } from "./dense.ts";

/** Row-major strides in elements. */
export function stridesOf(dims: readonly number[]): number[] {
  const strides = new Array<number>(dims.length);
  let step = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= nth(dims, axis);
  }
  return strides;
}

/** `offset + Σ index·stride` for every index of a grid, in row-major order. */
export function grid(dims: readonly number[], strides: readonly number[], offset = 0): Int32Array {
  bounded(sizeOf(dims));
  let flat = Int32Array.of(offset);
  dims.forEach((length, axis) => {
    const next = new Int32Array(bounded(flat.length * length));
    const stride = nth(strides, axis);
    for (let i = 0, at = 0; i < flat.length; i++) for (let k = 0; k < length; k++) next[at++] = flat[i]! + k * stride;
    flat = next;
  });
  return flat;
}

/** One position for each dim. */
type IndexOf<D extends readonly number[]> = { readonly [K in keyof D]: number };

/** Calls back with the index of every cell of a grid; the array is reused. */
export function forEachIndex<const D extends readonly number[]>(
  dims: D,
  visit: (index: IndexOf<D>, flat: number) => void,
): void {
  const index = new Array<number>(dims.length).fill(0);
  const count = sizeOf(dims);
  for (let flat = 0; flat < count; flat++) {
    visit(index as unknown as IndexOf<D>, flat);
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      if (++index[axis]! < nth(dims, axis)) break;
      index[axis] = 0;
    }
  }
}

/** An axis counted from the end when negative. */
export function normalAxis(axis: number, rank: number): number {
  const normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= Math.max(rank, 1)) {
    throw new ShapeError("an axis is out of range", { expected: `-${rank} to ${rank - 1}`, got: `${axis}` });
  }
  return normal;
}

/** The dims that arrays take when they are broadcast together, as in NumPy. */
export function broadcastDims(...shapes: readonly (readonly number[])[]): number[] {
  const rank = maxOf(
    shapes.map((dims) => dims.length),
    0,
  );
  return Array.from({ length: rank }, (_, axis) => {
    let length = 1;
    for (const dims of shapes) {
      const dim = dims[axis - rank + dims.length] ?? 1;
      if (dim === 1 || dim === length) continue;
      if (length !== 1) {
        throw new ShapeError("dims do not broadcast", { got: shapes.map((s) => `[${s.join(", ")}]`).join(" and ") });
      }
      length = dim;
    }
    return length;
  });
}

/** Strides that read an array of dims `from` as if it had dims `to`. */
export function broadcastStrides(from: readonly number[], to: readonly number[]): number[] {
  const strides = stridesOf(from);
  const shift = to.length - from.length;
  return to.map((_, axis) => {
    const own = axis - shift;
    return own < 0 || from[own] === 1 ? 0 : nth(strides, own);
  });
}

/** For every element of an array of dims `to`, the element of one of dims `from` that broadcasting puts there. */
export function broadcastMap(from: readonly number[], to: readonly number[]): Int32Array {
  return grid(to, broadcastStrides(from, to));
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}

export function broadcastTo(x: Dense, dims: readonly number[]): Dense {
  return sameDims(x.dims, dims) ? x : select(x, dims, broadcastMap(x.dims, dims));
}

/** An array seen as `outer × length × inner` around one axis. */
export interface Lines {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

export function linesOf(dims: readonly number[], axis: number): Lines {
  return { outer: sizeOf(dims.slice(0, axis)), length: dims[axis] ?? 1, inner: sizeOf(dims.slice(axis + 1)) };
}

/** Calls back with the flat index of the first element of every line along `axis`, and the step within it. */
export function forEachLine(
  dims: readonly number[],
  axis: number,
  visit: (start: number, step: number, line: number) => void,
): void {
  const { outer, length, inner } = linesOf(dims, axis);
  for (let o = 0, line = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit(o * length * inner + i, inner, line++);
  }
}

export function transposed(x: Dense, permutation: readonly number[]): Dense {
  const strides = stridesOf(x.dims);
  const dims = permutation.map((axis) => nth(x.dims, axis));
  return select(
    x,
    dims,
    grid(
      dims,
      permutation.map((axis) => nth(strides, axis)),
    ),
  );
}

/** The part of `x` from `start` on, `length` long, along one axis. */
export function sliced(x: Dense, axis: number, start: number, length: number): Dense {
  const strides = stridesOf(x.dims);
  const dims = x.dims.map((dim, i) => (i === axis ? length : dim));
  return select(x, dims, grid(dims, strides, start * (strides[axis] ?? 1)));
}

/** Joins arrays along an existing axis. */
export function concatenated(parts: readonly Dense[], axis: number): Dense {
  const first = nth(parts, 0);
  const length = parts.reduce((sum, part) => sum + nth(part.dims, axis), 0);
  const dims = first.dims.map((dim, i) => (i === axis ? length : dim));
  const result = select(first, dims, new Int32Array(bounded(sizeOf(dims))).fill(-1));
  const to = slotsOf(result);
  const strides = stridesOf(dims);
  let offset = 0;
  for (const part of parts) {
    if (!sameDims(part.dims, first.dims.with(axis, nth(part.dims, axis)))) {
      throw new ShapeError("parts do not fit together", {
        got: `[${first.dims.join(", ")}] and [${part.dims.join(", ")}]`,
      });
    }
    const places = grid(part.dims, strides, offset * nth(strides, axis));
    const from = slotsOf(part);
    for (let i = 0; i < places.length; i++) to[places[i]!] = from[i];
    offset += nth(part.dims, axis);
  }
  return result;
}

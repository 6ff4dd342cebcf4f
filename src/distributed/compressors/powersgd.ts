/**
 * @file Low rank: Vogels, Karimireddy and Jaggi, "PowerSGD" (2019), arXiv:1905.13727.
 *
 * A tensor is a matrix M of its first dim and the rest. P = mean of M·Q over ranks, made orthonormal; Q = mean of Mᵀ·P; M̂ = P·Qᵀ. The next update begins with
 * this Q: one step of power iteration an update.
 */
import { random } from "../../data/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { denseExchange } from "../exchange/dense.ts";
import { type Place, sizeOf } from "../exchange/place.ts";
import { slots } from "../exchange/slots.ts";
import type { CollectiveCompressor } from "./compressor.ts";

export interface PowerSgdOptions {
  /** Columns of P and Q. Default 2. */
  readonly rank?: number;
  /** Of the first Q, together with the update and the tensor. Default 0. */
  readonly seed?: number;
}

const powerSgdOptionsNames: OptionNames<PowerSgdOptions> = { rank: true, seed: true };

/**
 * Two all-reduces of rank × (rows + columns) values of 32 bits. A tensor for which that is no fewer, such as all of at most one dim, is averaged as it is. Biased:
 * it wants a memory. Keeps `q`: rank × columns values of each tensor.
 */
export function powerSgd(options: PowerSgdOptions = {}): CollectiveCompressor {
  const { rank = 2, seed = 0 } = checkOptions(options, powerSgdOptionsNames);
  checkCount("rank", rank);
  random(seed);
  const kept = slots(["q"]);
  const { average } = denseExchange();
  return {
    kind: "collective",
    name: "powersgd",
    isUnbiased: false,
    async average(communicator, tensors) {
      const works = tensors.map(({ values, place }) => {
        const form = formOf(place, rank);
        if (!form) return { place, form, values, p: values.slice() };
        const q = kept.of("q", place.name, form.rank * form.columns);
        fillEmpty(q, form, random(seed, place.update, place.index));
        return { place, form, values, q, p: timesColumns(values, q, form) };
      });
      const { update } = tensors[0]?.place ?? { update: 1 };
      const named = (work: { place: Place }, values: Float32Array) => ({ ...work.place, values });
      await average(
        communicator,
        works.map((work) => named(work, work.p)),
        update,
      );
      for (const { form, p, q, values } of works) {
        if (!form) continue;
        orthonormalize(p, form);
        q.set(timesRows(values, p, form));
      }
      await average(
        communicator,
        works.flatMap((work) => (work.form ? [named(work, work.q)] : [])),
        update,
      );
      return works.map(({ form, p, q }) => (form ? product(p, q, form) : p));
    },
    readState: kept.readState,
    restore: kept.restore,
  };
}

/** P and Q hold their columns one after the other. */
interface Form {
  readonly rows: number;
  readonly columns: number;
  readonly rank: number;
}

function formOf(place: Place, most: number): Form | undefined {
  const [rows = 1] = place.dims;
  const size = sizeOf(place);
  const columns = rows > 0 ? size / rows : 0;
  const rank = Math.min(most, rows, columns);
  return rank * (rows + columns) < size ? { rows, columns, rank } : undefined;
}

/** Columns that are zero, as in the first update and after gradients of zeros, would stay so: they are drawn. */
function fillEmpty(q: Float32Array, { columns, rank }: Form, { normal }: ReturnType<typeof random>): void {
  for (let r = 0; r < rank; r++) {
    const column = q.subarray(r * columns, (r + 1) * columns);
    if (column.every((value) => value === 0)) column.set(column.map(normal));
  }
}

/** M·Q */
function timesColumns(m: Float32Array, q: Float32Array, { rows, columns, rank }: Form): Float32Array {
  return new Float32Array(rows * rank).map((_, at) => {
    const [row, r] = [at % rows, Math.floor(at / rows)];
    let sum = 0;
    for (let i = 0; i < columns; i++) sum += (m[row * columns + i] ?? 0) * (q[r * columns + i] ?? 0);
    return sum;
  });
}

/** Mᵀ·P */
function timesRows(m: Float32Array, p: Float32Array, { rows, columns, rank }: Form): Float32Array {
  return new Float32Array(columns * rank).map((_, at) => {
    const [column, r] = [at % columns, Math.floor(at / columns)];
    let sum = 0;
    for (let i = 0; i < rows; i++) sum += (m[i * columns + column] ?? 0) * (p[r * rows + i] ?? 0);
    return sum;
  });
}

/** P·Qᵀ */
function product(p: Float32Array, q: Float32Array, { rows, columns, rank }: Form): Float32Array {
  return new Float32Array(rows * columns).map((_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let r = 0; r < rank; r++) sum += (p[r * rows + row] ?? 0) * (q[r * columns + column] ?? 0);
    return sum;
  });
}

/** Gram-Schmidt, column by column, in float64. A column of nothing stays so. */
function orthonormalize(p: Float32Array, { rows, rank }: Form): void {
  const columns = Array.from({ length: rank }, (_, r) => Float64Array.from(p.subarray(r * rows, (r + 1) * rows)));
  columns.forEach((column, r) => {
    const norm = Math.sqrt(dot(column, column)) + 1e-8;
    column.forEach((value, i) => {
      column[i] = value / norm;
    });
    for (const other of columns.slice(r + 1)) {
      const along = dot(column, other);
      other.forEach((value, i) => {
        other[i] = value - along * (column[i] ?? 0);
      });
    }
  });
  for (const [r, column] of columns.entries()) p.set(column, r * rows);
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

/** @file Sums between the ranks of a group, through memory that they share. */
import { ShapeError, UnsupportedError } from "../../errors.ts";
import { byteLength, type DataType, sizeOf } from "../../ir/index.ts";
import { isSummable, type Summable, type SumStep } from "../partition.ts";
import type { WireTensor } from "../protocol.ts";
import { type GroupMemory, type GroupViews, MAX_AXES, viewsOf, WINDOW } from "./memory.ts";

/** One rank's end. Every rank makes the same calls in the same order. */
export interface Exchange {
  /** Begins a run. */
  begin(): void;
  /**
   * The sum, where the rank is one of `to`; `own` is its term, where it is one of `from`. The sum is made in `room` when
   * that has its length.
   */
  sum(step: SumStep, own: WireTensor | undefined, room?: Uint8Array<ArrayBuffer>): WireTensor | undefined;
  /** Ends a run: returns when every rank has come here, so that a run ends, or fails, on all ranks alike. */
  meet(): void;
}

interface End {
  readonly rank: number;
  readonly size: number;
  readonly views: GroupViews;
  generation: number;
  /** The number of the piece in hand, the same on every rank. */
  piece: number;
}

export function exchangeOver(memory: GroupMemory, rank: number): Exchange {
  const views = viewsOf(memory);
  const end: End = { rank, size: memory.size, views, generation: views.generation(), piece: 0 };
  return {
    begin: () => begin(end),
    sum: (step, own, room) => sum(end, step, own, room),
    meet: () => meet(end),
  };
}

function begin(end: End): void {
  const generation = end.views.generation();
  if (end.generation !== generation) Object.assign(end, { generation, piece: 0 });
}

function meet(end: End): void {
  const { rank, views } = end;
  next(end);
  views.written.set(rank, end.piece);
  for (let other = 0; other < end.size; other++) written(end, other);
  views.done.set(rank, end.piece);
}

/**
 * Pieces pass through a rank's two windows in turn: it fills one while others still read from the other. The terms are
 * added in the order of `from` on every rank, so that all get the same bits.
 */
function sum(
  end: End,
  { value, dtype, from, to }: SumStep,
  own: WireTensor | undefined,
  room: Uint8Array<ArrayBuffer> | undefined,
): WireTensor | undefined {
  const bytes = from.includes(end.rank) ? bytesOf(own!) : undefined;
  next(end);
  if (bytes) write(end, bytes.subarray(0, WINDOW), own!.dims);
  const dims = own && bytes ? own.dims : dimsFrom(end, from[0]!);
  const length = byteLength(dtype, sizeOf(dims));
  const made = room?.length === length ? room : undefined;
  const total = to.includes(end.rank) ? (made ?? new Uint8Array(length)) : undefined;
  if (total) checkTerms(end, from, dims);
  for (let start = 0; ; start += WINDOW) {
    if (total) addUp(end, from, dtype, total.subarray(start, start + WINDOW));
    end.views.done.set(end.rank, end.piece);
    if (start + WINDOW >= length) break;
    next(end);
    if (bytes) write(end, bytes.subarray(start + WINDOW, start + 2 * WINDOW));
  }
  return total && { name: value, dtype, dims, data: total };
}

function bytesOf({ dtype, dims, data }: WireTensor): Uint8Array {
  if (data instanceof Uint8Array && dims.length <= MAX_AXES) return data;
  throw new UnsupportedError("this tensor cannot pass between ranks", {
    expected: `numbers with at most ${MAX_AXES} axes`,
    got: `${dtype} with ${dims.length} axes`,
  });
}

function next(end: End): void {
  end.piece = (end.piece + 1) | 0;
}

function written({ views, piece }: End, rank: number): void {
  views.wait(() => views.written.reached(rank, piece));
}

function write({ rank, size, views, piece }: End, bytes: Uint8Array, dims?: readonly number[]): void {
  for (let reader = 0; reader < size; reader++) views.wait(() => views.done.reached(reader, piece - 2));
  views.window(rank, piece & 1).set(bytes);
  if (dims) views.dims(rank, piece & 1).set([dims.length, ...dims]);
  views.written.set(rank, piece);
}

function dimsFrom(end: End, rank: number): number[] {
  written(end, rank);
  const [length = 0, ...dims] = end.views.dims(rank, end.piece & 1);
  return dims.slice(0, length);
}

function checkTerms(end: End, from: readonly number[], dims: readonly number[]): void {
  for (const rank of from) {
    const term = dimsFrom(end, rank);
    if (term.length === dims.length && term.every((length, axis) => length === dims[axis])) continue;
    throw new ShapeError("the terms of a sum between ranks have other dims", {
      expected: `[${dims.join(", ")}]`,
      got: `[${term.join(", ")}]`,
      where: `rank ${rank}`,
    });
  }
}

function addUp(end: End, from: readonly number[], dtype: DataType, total: Uint8Array<ArrayBuffer>): void {
  from.forEach((rank, index) => {
    written(end, rank);
    const term = end.views.window(rank, end.piece & 1).subarray(0, total.length);
    if (index === 0) total.set(term);
    else if (isSummable(dtype)) adders[dtype](total, term);
  });
}

const adders: Readonly<Record<Summable, (total: Uint8Array, term: Uint8Array) => void>> = {
  float32: adder(Float32Array),
  float64: adder(Float64Array),
  int32: adder(Int32Array),
};

type Numbers = new (
  buffer: ArrayBufferLike,
  offset: number,
  length: number,
) => Float32Array | Float64Array | Int32Array;

function adder(View: Numbers & { readonly BYTES_PER_ELEMENT: number }): (total: Uint8Array, term: Uint8Array) => void {
  const view = ({ buffer, byteOffset, byteLength }: Uint8Array) =>
    new View(buffer, byteOffset, byteLength / View.BYTES_PER_ELEMENT);
  return (total, term) => {
    const sum = view(total);
    const added = view(term);
    for (let i = 0; i < sum.length; i++) sum[i]! += added[i]!;
  };
}

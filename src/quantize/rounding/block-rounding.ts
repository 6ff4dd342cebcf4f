/** @file Rounds a matrix in blocks along its columns. */

import { type Moments, ROWS } from "../../calibration/index.ts";
import { type Limits, type Parameters, quantizeValue } from "../scheme.ts";
import {
  type BlockedMatrix,
  type BlockLayout,
  blockLimits,
  blockParameters,
  blocksIn,
  emptyBlocks,
} from "../weights/weight-blocks.ts";
import { nearest } from "./nearest.ts";
import type { Rounding } from "./rounding.ts";

/** A matrix of which some rows are in memory at a time. */
export interface FloatMatrix {
  readonly rows: number;
  readonly columns: number;
  /** Opens the elements once for all rows: where they are not aligned, or not float32, that is a copy of the whole. */
  reader(): RowReader;
}

/** `count × columns` elements of the rows from `first` on. */
export type RowReader = (first: number, count: number) => Float32Array;

/**
 * Integers and block parameters of a matrix, whose rows fall into groups with inputs of their own; a last block that is not full has
 * its own range. Without moments only a rounding that looks at weights alone does other than to nearest.
 */
export function roundGroups(
  matrix: FloatMatrix,
  groups: number,
  layout: BlockLayout,
  rounding: Rounding,
  moments: readonly Moments[] | undefined,
): BlockedMatrix {
  const made = emptyBlocks(matrix.rows, matrix.columns, layout);
  const own = matrix.rows / groups;
  const rowsAt = matrix.reader();
  for (let row = 0; row < matrix.rows; row += ROWS) nearestRows(rowsAt, made, row, Math.min(ROWS, matrix.rows - row));
  if (rounding === nearest) return made;
  if (moments) {
    for (const [group, seen] of moments.entries()) roundRows(rowsAt, made, group * own, own, rounding, seen);
    return made;
  }
  for (let row = 0; row < matrix.rows; row += ROWS) {
    roundRows(rowsAt, made, row, Math.min(ROWS, matrix.rows - row), rounding, undefined);
  }
  return made;
}

function nearestRows(rowsAt: RowReader, made: BlockedMatrix, first: number, count: number): void {
  const { columns, layout, integers, scales, zeroPoints } = made;
  const limits = blockLimits(layout);
  const reals = rowsAt(first, count);
  let block = first * blocksIn(made);
  for (let end = columns; end <= reals.length; end += columns) {
    for (let start = end - columns; start < end; start += layout.size) {
      const stop = Math.min(start + layout.size, end);
      const parameters = blockParameters(reals, layout, start, stop);
      scales[block] = parameters.scale;
      zeroPoints[block] = parameters.zeroPoint;
      block++;
      quantizeRun(reals, start, stop, parameters, limits, integers, first * columns);
    }
  }
}

/** Elements `start … stop` of `reals`, to the same places behind `offset`. */
function quantizeRun(
  reals: Float32Array,
  start: number,
  stop: number,
  parameters: Parameters,
  limits: Limits,
  integers: Uint8Array,
  offset: number,
): void {
  for (let i = start; i < stop; i++) integers[offset + i] = quantizeValue(reals[i]!, parameters, limits);
}

/** Rounds some rows again; their parameters stay unless the rounding has better ones. */
function roundRows(
  rowsAt: RowReader,
  { columns, layout, integers, scales, zeroPoints }: BlockedMatrix,
  first: number,
  rows: number,
  rounding: Rounding,
  moments: Moments | undefined,
): void {
  const blocks = blocksIn({ columns, layout });
  const { values, parameters } = rounding({
    weights: new Float64Array(rowsAt(first, rows)),
    bias: new Float64Array(rows),
    biasFixed: true,
    rows,
    columns,
    parameters(row, column) {
      const block = (first + row) * blocks + Math.floor(column / layout.size);
      return { scale: scales[block]!, zeroPoint: zeroPoints[block]! };
    },
    limits: blockLimits(layout),
    moments,
    blocks: { size: layout.size, parametersOf: (weights) => blockParameters(weights, layout) },
  });
  integers.set(values, first * columns);
  for (const [i, { scale, zeroPoint }] of (parameters ?? []).entries()) {
    scales[first * blocks + i] = scale;
    zeroPoints[first * blocks + i] = zeroPoint;
  }
}

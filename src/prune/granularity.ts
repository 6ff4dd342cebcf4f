/** @file What a granularity is: how a weight is cut into rows that go or stay as a whole. */
import type { Layer } from "../calibration/index.ts";
import { sizeOf } from "../ir/index.ts";

/** A weight cut into rows of one width, those that lead to the same outputs one after another. */
export interface CutWeight {
  /** Flat positions in the weight tensor, `count × width`; −1 where a row has fewer weights. */
  readonly positions: Int32Array;
  readonly count: number;
  readonly width: number;
  /** Ends of the runs of rows that lead to the same outputs. */
  readonly lines: Int32Array;
  /** Ends of the runs of rows of each of which as many stay as `keep` says; absent where a share of all rows goes. */
  readonly groups?: { readonly ends: Int32Array; readonly keep: number };
}

export interface Granularity {
  /** With its numbers: `2:4`, `block 4`. */
  readonly name: string;
  /** In one line, with the paper. */
  readonly summary: string;
  cut(layer: Layer): CutWeight;
}

/** A layer's columns as inputs × positions of the kernel: column `input · area + position`. */
export interface Columns {
  readonly inputs: number;
  readonly area: number;
}

export function columnsOf({ node, weightTensor, columns }: Layer): Columns {
  const area = node.opType === "Conv" ? sizeOf(weightTensor.dims.slice(2)) : 1;
  return { inputs: columns / area, area };
}

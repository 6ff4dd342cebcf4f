/** @file Rows of filters. */
import type { Layer } from "../../calibration/index.ts";
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { columnsOf, type Granularity } from "../granularity.ts";

export interface VectorOptions {
  /** Neighbours along the input axis, where there is no kernel whose rows could be taken; 4 by default. */
  readonly size?: number;
}

const vectorOptionsNames: OptionNames<VectorOptions> = { size: true };

/** A row of a kernel, along its last axis of more than one position; of a matrix, `size` neighbours along the input axis. */
export function vector(options: VectorOptions = {}): Granularity {
  const { size = 4 } = checkOptions(options, vectorOptionsNames);
  checkSize("vector.size", size);
  return {
    name: `vector ${size}`,
    summary: "rows of kernels, or neighbours along the input axis (Mao et al., arXiv:1705.08922)",
    cut(layer: Layer) {
      const { rows, columns, position } = layer;
      const width = columnsOf(layer).area > 1 ? (layer.weightTensor.dims.findLast((length) => length > 1) ?? 1) : size;
      const each = Math.ceil(columns / width);
      const positions = new Int32Array(rows * each * width).fill(-1);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) positions[row * each * width + column] = position(row, column);
      const lines = new Int32Array(rows).map((_, row) => (row + 1) * each);
      return { positions, count: rows * each, width, lines };
    },
  };
}

export function checkSize(name: string, size: number): void {
  if (Number.isSafeInteger(size) && size >= 1 && size <= 4096) return;
  throw new UsageError(`${name} is out of range`, { expected: "a whole number from 1 to 4096", got: String(size) });
}

/** @file Single weights. */
import type { Layer } from "../../calibration/index.ts";
import type { Granularity } from "../granularity.ts";

/** Every weight by itself: least loss at a share of zeros, which dense kernels do not compute faster. */
export function element(): Granularity {
  return {
    name: "element",
    summary: "every weight by itself (Han et al., arXiv:1506.02626)",
    cut({ rows, columns, position }: Layer) {
      const positions = new Int32Array(rows * columns);
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) positions[row * columns + column] = position(row, column);
      const lines = new Int32Array(rows).map((_, row) => (row + 1) * columns);
      return { positions, count: positions.length, width: 1, lines };
    },
  };
}

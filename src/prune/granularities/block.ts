/** @file Square blocks. */
import type { Layer } from "../../calibration/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type Columns, type CutWeight, columnsOf, type Granularity } from "../granularity.ts";
import { checkSize } from "./vector.ts";

export interface BlockOptions {
  /** Outputs and inputs of a block, at one position of the kernel; 4 by default. Those at the end may be smaller. */
  readonly size?: number;
}

const blockOptionsNames: OptionNames<BlockOptions> = { size: true };

/** `size` outputs × `size` inputs: what kernels of block-sparse matrices skip. */
export function block(options: BlockOptions = {}): Granularity {
  const { size = 4 } = checkOptions(options, blockOptionsNames);
  checkSize("block.size", size);
  return {
    name: `block ${size}`,
    summary: "square blocks of outputs and inputs (Narang et al., arXiv:1711.02782)",
    cut: (layer) => blocksOf(layer, columnsOf(layer), size),
  };
}

function blocksOf({ rows, groups, position }: Layer, { inputs, area }: Columns, size: number): CutWeight {
  const own = rows / groups;
  const [down, across] = [Math.ceil(own / size), Math.ceil(inputs / size)];
  const width = size * size;
  const count = groups * down * area * across;
  const positions = new Int32Array(count * width).fill(-1);
  for (let row = 0; row < rows; row++) {
    const [group, inner] = [Math.floor(row / own), row % own];
    const line = group * down + Math.floor(inner / size);
    for (let place = 0; place < area; place++) {
      for (let input = 0; input < inputs; input++) {
        const of = (line * area + place) * across + Math.floor(input / size);
        positions[of * width + (inner % size) * size + (input % size)] = position(row, input * area + place);
      }
    }
  }
  const lines = new Int32Array(groups * down).map((_, line) => (line + 1) * area * across);
  return { positions, count, width, lines };
}

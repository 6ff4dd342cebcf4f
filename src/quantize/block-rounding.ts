/** @file Rounds a matrix in blocks along its columns. */
import type { Moments, Rounding } from "./rounding/index.ts";
import { type BlockedMatrix, type BlockLayout, blockLimits, blockParameters, blocksIn } from "./weight-blocks.ts";

export interface FloatMatrix {
  readonly rows: number;
  readonly columns: number;
  /** `rows × columns`. */
  readonly values: Float64Array;
}

/** Integers and block parameters of a matrix; a last block that is not full has its own range. */
export function roundBlocks(
  { rows, columns, values }: FloatMatrix,
  layout: BlockLayout,
  rounding: Rounding,
  moments: Moments | undefined,
): BlockedMatrix {
  const blocks = blocksIn({ columns, layout });
  const parameters = Array.from({ length: rows * blocks }, (_, i) => {
    const start = Math.floor(i / blocks) * columns + (i % blocks) * layout.size;
    const end = Math.min(start + layout.size, (Math.floor(i / blocks) + 1) * columns);
    return blockParameters(values.subarray(start, end), layout);
  });
  const { values: integers } = rounding({
    weights: values,
    bias: new Float64Array(rows),
    biasFixed: true,
    rows,
    columns,
    parameters: (row, column) => parameters[row * blocks + Math.floor(column / layout.size)]!,
    limits: blockLimits(layout),
    moments,
  });
  return { rows, columns, layout, integers, parameters };
}

/** The same for a matrix whose rows fall into groups with inputs of their own. */
export function roundGroups(
  { rows, columns, values }: FloatMatrix,
  groups: number,
  layout: BlockLayout,
  rounding: Rounding,
  moments: readonly Moments[] | undefined,
): BlockedMatrix {
  const own = rows / groups;
  const parts = Array.from({ length: groups }, (_, group) => {
    const part = values.subarray(group * own * columns, (group + 1) * own * columns);
    return roundBlocks({ rows: own, columns, values: part }, layout, rounding, moments?.[group]);
  });
  const integers = new Int32Array(rows * columns);
  for (const [group, part] of parts.entries()) integers.set(part.integers, group * own * columns);
  return { rows, columns, layout, integers, parameters: parts.flatMap(({ parameters }) => parameters) };
}

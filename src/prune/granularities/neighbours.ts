/** @file N of M neighbours. */
import type { Layer } from "../../calibration/index.ts";
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { columnsOf, type Granularity } from "../granularity.ts";

export interface NeighboursOptions {
  /** N: at most so many stay of every group. */
  readonly keep?: number;
  /** M: neighbours along the input axis, at one position of the kernel; a last group may be smaller. */
  readonly of?: number;
}

const neighboursOptionsNames: OptionNames<NeighboursOptions> = { keep: true, of: true };

/** N:M sparsity, 2:4 by default: the share that stays is N / M everywhere, for hardware that skips the rest. */
export function neighbours(options: NeighboursOptions = {}): Granularity {
  const { keep = 2, of = 4 } = checkOptions(options, neighboursOptionsNames);
  if (!(Number.isSafeInteger(keep) && Number.isSafeInteger(of) && keep >= 1 && keep < of))
    throw new UsageError("a pattern N:M is out of range", { expected: "1 ≤ N < M", got: `${keep}:${of}` });
  return {
    name: `${keep}:${of}`,
    summary: "N of M neighbours along the input axis stay (Mishra et al., arXiv:2104.08378)",
    cut(layer: Layer) {
      const { rows, columns, position } = layer;
      const { inputs, area } = columnsOf(layer);
      const positions = new Int32Array(rows * columns);
      const each = Math.ceil(inputs / of);
      const ends = new Int32Array(rows * area * each);
      let [at, group] = [0, 0];
      for (let row = 0; row < rows; row++) {
        for (let place = 0; place < area; place++) {
          for (let input = 0; input < inputs; input++) {
            positions[at++] = position(row, input * area + place);
            if ((input + 1) % of === 0 || input + 1 === inputs) ends[group++] = at;
          }
        }
      }
      const lines = new Int32Array(rows).map((_, row) => (row + 1) * columns);
      return { positions, count: positions.length, width: 1, lines, groups: { ends, keep } };
    },
  };
}

/** `2:4` as a granularity. */
export function patternOf(text: string): Granularity {
  const [, keep, of] = /^(\d{1,4}):(\d{1,4})$/.exec(text) ?? [];
  if (keep !== undefined && of !== undefined) return neighbours({ keep: Number(keep), of: Number(of) });
  throw new UsageError("a pattern of zeros is not understood", { expected: "N:M, such as 2:4", got: text });
}

/**
 * @file Ranges that leave large weights out, searched for the least error of what a block puts out: the second half of AWQ (Lin et al. 2023,
 * arXiv:2306.00978).
 *
 * Of a block with weights w and inputs x, its ends ±m with m = max |w| are drawn in to ±m (1 − k/grid), k = 0, 1, … while at least `least` of m is
 * left; w is clipped to them, gets parameters and is rounded to nearest. The k with the least E[((w − ŵ) · x)²] stays, by the second moments
 * of the block's own inputs.
 */
import { quadraticForm } from "../../calibration/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { checkShare } from "../ranges/settings.ts";
import { dequantizeValue, type Limits, type Parameters, quantizeValue } from "../scheme.ts";
import { nearest } from "./nearest.ts";
import type { FreeBlocks, Rounding } from "./rounding.ts";

export interface ClipSearchOptions {
  /** Default 20. */
  readonly grid?: number;
  /** What is left of a range at least; default one half. */
  readonly least?: number;
}

const clipSearchOptionsNames: OptionNames<ClipSearchOptions> = { grid: true, least: true };

/** No block's error is larger than by rounding to nearest. Without inputs, and where scales are fixed, it is nearest. */
export function clipSearch(options: ClipSearchOptions = {}): Rounding {
  const { grid = 20, least = 0.5 } = checkOptions(options, clipSearchOptionsNames);
  checkCount("grid", grid);
  checkShare("least", least);
  const shares = Array.from({ length: Math.max(1, Math.floor((1 - least) * grid)) }, (_, k) => 1 - k / grid);
  return (problem) => {
    const { blocks, moments, rows, columns, weights, limits, bias } = problem;
    if (!blocks || !moments) return nearest(problem);
    const values = new Int32Array(rows * columns);
    const parameters: Parameters[] = Array(rows * Math.ceil(columns / blocks.size));
    for (let from = 0, block = 0; from < columns; from += blocks.size, block++) {
      const length = Math.min(blocks.size, columns - from);
      const gram = gramOf(moments.gram, columns + 1, from, length);
      for (let row = 0; row < rows; row++) {
        const start = row * columns + from;
        const own = weights.subarray(start, start + length);
        const found = searched(own, { gram, blocks, limits, shares, start: problem.parameters(row, from) });
        parameters[row * Math.ceil(columns / blocks.size) + block] = found;
        for (const [i, weight] of own.entries()) values[start + i] = quantizeValue(weight, found, limits);
      }
    }
    return { values, bias, parameters };
  };
}

/** The moments of the inputs of one block. */
function gramOf(gram: Float64Array, width: number, from: number, length: number): Float64Array {
  const part = new Float64Array(length * length);
  for (let i = 0; i < length; i++) {
    const start = (from + i) * width + from;
    part.set(gram.subarray(start, start + length), i * length);
  }
  return part;
}

interface Searched {
  readonly gram: Float64Array;
  readonly blocks: FreeBlocks;
  readonly limits: Limits;
  readonly shares: readonly number[];
  readonly start: Parameters;
}

function searched(weights: Float64Array, { gram, blocks, limits, shares, start }: Searched): Parameters {
  const greatest = weights.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  let best = start;
  let least = Number.POSITIVE_INFINITY;
  for (const share of shares) {
    const end = share * greatest;
    const found =
      share === 1 ? start : blocks.parametersOf(weights.map((weight) => Math.min(end, Math.max(-end, weight))));
    const off = weights.map((weight) => weight - dequantizeValue(quantizeValue(weight, found, limits), found));
    const error = quadraticForm(gram, weights.length, off);
    if (error < least) [best, least] = [found, error];
  }
  return best;
}

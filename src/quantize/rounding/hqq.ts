/**
 * @file Half-quadratic quantization (Badri and Shaji 2023, HQQ): scales that fit most weights well and let a few be far off, from the
 * weights alone.
 *
 * It minimises Σ |w − s (q − z)|^p with p < 1 by splitting off an error e that is allowed to be large where few are: in turn the
 * integers are rounded, `e ← shrink(w − s (q − z))` with `shrink(x) = sign(x) max(0, |x| − |x|^(p−1) / β)`, the fit is solved in closed form,
 * and β grows. The original moves z, a real number there; kernels take integers, so here s moves, for z and its two neighbours.
 */
import { checkOptions, type OptionNames } from "../../options.ts";
import { dequantizeValue, type Limits, type Parameters, quantizeValue } from "../scheme.ts";
import { nearest } from "./nearest.ts";
import type { Rounding } from "./rounding.ts";

export interface HqqOptions {
  /** Default 20. */
  readonly rounds?: number;
  /** The exponent of the error; default 0.7. */
  readonly p?: number;
  /** Weight of the split, in units of one step; default 10, and by what it grows in each round, default 1.01. */
  readonly beta?: number;
  readonly growth?: number;
}

const hqqOptionsNames: OptionNames<HqqOptions> = { rounds: true, p: true, beta: true, growth: true };

type Settings = Required<HqqOptions>;

/** No block's Σ |w − ŵ|^p is larger than by rounding to nearest. Where scales are fixed it is nearest. */
export function hqq(options: HqqOptions = {}): Rounding {
  const settings = { rounds: 20, p: 0.7, beta: 10, growth: 1.01, ...checkOptions(options, hqqOptionsNames) };
  return (problem) => {
    const { blocks, rows, columns, weights, limits, bias } = problem;
    if (!blocks) return nearest(problem);
    const values = new Int32Array(rows * columns);
    const parameters: Parameters[] = [];
    for (let row = 0; row < rows; row++) {
      for (let from = 0; from < columns; from += blocks.size) {
        const start = row * columns + from;
        const own = weights.subarray(start, start + Math.min(blocks.size, columns - from));
        const found = fitted(own, problem.parameters(row, from), limits, settings);
        parameters.push(found);
        for (const [i, weight] of own.entries()) values[start + i] = quantizeValue(weight, found, limits);
      }
    }
    return { values, bias, parameters };
  };
}

/** The best of what the rounds reach from each zero point, and of the start. */
function fitted(weights: Float64Array, start: Parameters, limits: Limits, settings: Settings): Parameters {
  let best = start;
  let least = errorOf(weights, start, limits, settings.p);
  for (const shift of [0, -1, 1]) {
    const zeroPoint = start.zeroPoint + shift;
    if (zeroPoint < limits.low || zeroPoint > limits.high) continue;
    const found = halfQuadratic(weights, { ...start, zeroPoint }, limits, settings);
    const error = errorOf(weights, found, limits, settings.p);
    if (error < least) [best, least] = [found, error];
  }
  return best;
}

/** The rounds, until the mean error rises. */
export function halfQuadratic(
  weights: Float64Array,
  start: Parameters,
  limits: Limits,
  { rounds, p, beta: first, growth }: Settings,
): Parameters {
  let { scale } = start;
  const { zeroPoint } = start;
  let [least, beta] = [Number.POSITIVE_INFINITY, first];
  let best = start;
  for (let round = 0; round < rounds; round++) {
    let [product, square, error] = [0, 0, 0];
    for (const weight of weights) {
      const steps = quantizeValue(weight, { scale, zeroPoint }, limits) - zeroPoint;
      const off = weight - scale * steps;
      error += Math.abs(off);
      product += (weight - scale * shrunk(off / scale, beta, p)) * steps;
      square += steps * steps;
    }
    if (error >= least) break;
    [least, best] = [error, { scale, zeroPoint }];
    if (square === 0) break;
    const next = Math.fround(product / square);
    if (!(next * scale > 0)) break;
    scale = next;
    beta *= growth;
  }
  return best;
}

function shrunk(x: number, beta: number, p: number): number {
  const magnitude = Math.abs(x);
  return magnitude === 0 ? 0 : Math.sign(x) * Math.max(0, magnitude - magnitude ** (p - 1) / beta);
}

function errorOf(weights: Float64Array, parameters: Parameters, limits: Limits, p: number): number {
  let sum = 0;
  for (const weight of weights) {
    sum += Math.abs(weight - dequantizeValue(quantizeValue(weight, parameters, limits), parameters)) ** p;
  }
  return sum;
}

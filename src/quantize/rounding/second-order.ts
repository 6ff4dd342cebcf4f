/**
 * @file Rounding that lets the error of one weight be made up by the others (after Frantar et al. 2022, arXiv:2208.11580 and
 * arXiv:2210.17323).
 *
 * The output's error is E‖w x − ŵ x̂‖² = (w* − ŵ) H (w* − ŵ)ᵀ + const with H = E[x̂ x̂ᵀ] and w* = w + w E[(x − x̂) x̂ᵀ] H⁻¹. With
 * H = R Rᵀ and R upper triangular, component j of (w* − ŵ) R depends on the weights up to j, so each weight is rounded to make
 * its component small given those before it. Coordinate descent then changes single integers while that helps. The bias is the
 * weight of a constant input that comes last and is not rounded; where it cannot change, there is no such input.
 */
import {
  damped,
  type Moments,
  permuted,
  permutedRow,
  quadraticForm,
  solveRow,
  spreadErrors,
  upperFactor,
  withoutConstant,
} from "../../calibration/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { dequantizeValue, quantizeValue } from "../scheme.ts";
import { nearest } from "./nearest.ts";
import type { Rounding, RoundingProblem, RoundingResult } from "./rounding.ts";

export interface SecondOrderOptions {
  /** Added to the diagonal, relative to its mean; default 0.01. */
  readonly damping?: number;
  /** Rounds of coordinate descent; default 3. */
  readonly sweeps?: number;
}

const secondOrderOptionsNames: OptionNames<SecondOrderOptions> = { damping: true, sweeps: true };

/** Never worse than nearest in E‖w x − ŵ x̂‖² over the moments given; without moments it is nearest. */
export function secondOrder(options: SecondOrderOptions = {}): Rounding {
  const { damping = 0.01, sweeps = 3 } = checkOptions(options, secondOrderOptionsNames);
  return (problem) => {
    const { moments } = problem;
    if (!moments) return nearest(problem);
    const solver = solverFor(problem, moments, damping);
    const values = new Int32Array(problem.rows * problem.columns);
    const bias = new Float64Array(problem.rows);
    for (let row = 0; row < problem.rows; row++) {
      const solved = solver.solve(row, sweeps);
      values.set(solved.integers, row * problem.columns);
      bias[row] = problem.biasFixed ? problem.bias[row]! : solved.bias;
    }
    return { values, bias } satisfies RoundingResult;
  };
}

interface Solver {
  solve(row: number, sweeps: number): { integers: Int32Array; bias: number };
}

function solverFor(problem: RoundingProblem, given: Moments, damping: number): Solver {
  const { columns, biasFixed = false } = problem;
  const n = biasFixed ? columns : columns + 1;
  const moments = biasFixed ? withoutConstant(given, columns) : given;
  const order = processingOrder(moments.gram, n, columns);
  const gram = permuted(damped(moments.gram, n, columns, damping), n, order);
  const factor = upperFactor(gram, n);
  const exact = permuted(moments.gram, n, order);
  return {
    solve(row, sweeps) {
      const target = permutedRow(targetOf(problem, row, moments, factor, order), order);
      const scales = new Float64Array(columns).map((_, i) => problem.parameters(row, order[i]!).scale);
      const zeros = new Float64Array(columns).map((_, i) => problem.parameters(row, order[i]!).zeroPoint);
      const state = { target, scales, zeros, limits: problem.limits, n, columns };
      const fed = fedBack(state, factor);
      const plain = rounded(state);
      for (const candidate of [fed, plain]) fitBias(candidate, state, exact);
      const best = errorOf(fed, state, exact) <= errorOf(plain, state, exact) ? fed : plain;
      for (let sweep = 0; sweep < sweeps; sweep++) if (!descend(best, state, exact)) break;
      const integers = new Int32Array(columns);
      for (let i = 0; i < columns; i++) integers[order[i]!] = best.integers[i]!;
      return { integers, bias: best.bias };
    },
  };
}

interface RowState {
  /** w*, permuted, the bias last where it can change. */
  readonly target: Float64Array;
  readonly scales: Float64Array;
  readonly zeros: Float64Array;
  readonly limits: RoundingProblem["limits"];
  readonly n: number;
  readonly columns: number;
}

interface Candidate {
  readonly integers: Int32Array;
  bias: number;
}

/** Inputs with most energy first, the constant last. */
function processingOrder(gram: Float64Array, n: number, columns: number): Int32Array {
  const inputs = Array.from({ length: columns }, (_, i) => i);
  inputs.sort((a, b) => gram[b * n + b]! - gram[a * n + a]!);
  return Int32Array.from(n > columns ? [...inputs, columns] : inputs);
}

/** w + w D H⁻¹ with the bias as last element. */
function targetOf(
  { weights, bias, columns }: RoundingProblem,
  row: number,
  { drift }: Moments,
  factor: Float64Array,
  order: Int32Array,
): Float64Array {
  const n = order.length;
  const w = new Float64Array(n);
  w.set(weights.subarray(row * columns, (row + 1) * columns));
  if (n > columns) w[columns] = bias[row]!;
  if (!drift) return w;
  const v = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const wi = w[i]!;
    if (wi !== 0) for (let j = 0; j < n; j++) v[j]! += wi * drift[i * n + j]!;
  }
  const shift = solveRow(factor, n, permutedRow(v, order));
  for (let i = 0; i < n; i++) w[order[i]!]! += shift[i]!;
  return w;
}

/** Rounds in order, each weight after what the errors before it ask for. */
function fedBack({ target, scales, zeros, limits, n, columns }: RowState, factor: Float64Array): Candidate {
  const integers = new Int32Array(columns);
  spreadErrors({ target, carried: new Float64Array(n), factor }, [0, columns], (j, wanted) => {
    const parameters = { scale: scales[j]!, zeroPoint: zeros[j]! };
    integers[j] = quantizeValue(wanted, parameters, limits);
    return dequantizeValue(integers[j]!, parameters);
  });
  return { integers, bias: 0 };
}

function rounded({ target, scales, zeros, limits, columns }: RowState): Candidate {
  const integers = new Int32Array(columns).map((_, j) =>
    quantizeValue(target[j]!, { scale: scales[j]!, zeroPoint: zeros[j]! }, limits),
  );
  return { integers, bias: 0 };
}

function errorsOf({ integers, bias }: Candidate, { target, scales, zeros, n, columns }: RowState): Float64Array {
  const errors = new Float64Array(n);
  for (let j = 0; j < columns; j++) errors[j] = target[j]! - (integers[j]! - zeros[j]!) * scales[j]!;
  if (n > columns) errors[columns] = target[columns]! - bias;
  return errors;
}

function errorOf(candidate: Candidate, state: RowState, gram: Float64Array): number {
  return quadraticForm(gram, state.n, errorsOf(candidate, state));
}

/** The bias that minimises the error for given integers. */
function fitBias(candidate: Candidate, state: RowState, gram: Float64Array): void {
  const { n, columns, target } = state;
  if (n === columns) return;
  candidate.bias = target[columns]!;
  const errors = errorsOf(candidate, state);
  const last = columns * n;
  let sum = 0;
  for (let j = 0; j < columns; j++) sum += gram[last + j]! * errors[j]!;
  candidate.bias += sum / gram[last + columns]!;
}

/** One sweep of single steps up or down; says whether any was taken. */
function descend(candidate: Candidate, state: RowState, gram: Float64Array): boolean {
  const { n, columns, scales, limits } = state;
  const errors = errorsOf(candidate, state);
  const slope = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const e = errors[i]!;
    if (e !== 0) for (let j = 0; j < n; j++) slope[j]! += e * gram[i * n + j]!;
  }
  let moved = false;
  for (let j = 0; j < columns; j++) {
    const scale = scales[j]!;
    const own = gram[j * n + j]!;
    if (own <= 0) continue;
    const step = Math.sign(slope[j]!);
    const next = candidate.integers[j]! + step;
    // A step changes the error by −2 s |slope| + s² H_jj.
    if (2 * Math.abs(slope[j]!) <= scale * own * (1 + 1e-9) || next < limits.low || next > limits.high) continue;
    candidate.integers[j] = next;
    moved = true;
    for (let k = 0; k < n; k++) slope[k]! -= step * scale * gram[j * n + k]!;
  }
  fitBias(candidate, state, gram);
  return moved;
}

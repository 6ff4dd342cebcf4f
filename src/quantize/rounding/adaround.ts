/**
 * @file AdaRound (Nagel et al. 2020, arXiv:2004.10568): for every weight it is learned whether to round down or up.
 *
 * `ŵ = s (clip(⌊w/s⌋ + z + h(v)) − z)` with the rectified sigmoid `h(v) = clip(1.2 σ(v) − 0.1, 0, 1)`; minimised is
 * `E‖w x − ŵ x̂‖² + λ Σ (1 − |2h(v) − 1|^β)`, whose second term pushes h to 0 or 1 as β falls from 20 to 2, and is left out of the first fifth of the
 * steps. The expectation is a quadratic form in ŵ over the moments, so its gradient is written down and no sample is run: `−2 s ((w − ŵ) H + w D)`
 * with H = E[x̂ x̂ᵀ] and D = E[(x − x̂) x̂ᵀ]. It is measured in units of what rounding at random would cost, so that λ means the same in every
 * layer. Adam takes the steps. Time goes with rows × columns² × steps.
 */
import { quadraticForm, withoutConstant } from "../../calibration/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { nearest } from "./nearest.ts";
import type { Rounding, RoundingProblem } from "./rounding.ts";

export interface AdaRoundOptions {
  /** Default 400. */
  readonly steps?: number;
  /** Of Adam; default 0.03. */
  readonly learningRate?: number;
  /** λ; default 0.1. */
  readonly regularization?: number;
  /** β at the beginning and at the end; default [20, 2]. */
  readonly betas?: readonly [number, number];
  /** Share of the steps without the second term; default 0.2. */
  readonly warmup?: number;
}

const adaRoundOptionsNames: OptionNames<AdaRoundOptions> = {
  steps: true,
  learningRate: true,
  regularization: true,
  betas: true,
  warmup: true,
};

type Settings = Required<AdaRoundOptions>;

const defaults: Settings = { steps: 400, learningRate: 0.03, regularization: 0.1, betas: [20, 2], warmup: 0.2 };

/** No row is worse than by rounding to nearest in `E‖w x − ŵ x̂‖²` over the moments given; without moments it is nearest. The bias stays. */
export function adaRound(options: AdaRoundOptions = {}): Rounding {
  const settings = { ...defaults, ...checkOptions(options, adaRoundOptionsNames) };
  return (problem) => {
    const { moments, rows, columns, bias } = problem;
    const plain = nearest(problem);
    if (!moments) return plain;
    const { gram, drift } = withoutConstant(moments, columns);
    const values = plain.values.slice();
    for (let row = 0; row < rows; row++) {
      const state = rowOf(problem, row, gram, drift);
      const learned = learnRounding(state, settings);
      const own = integersOf(state, learned);
      const start = row * columns;
      if (errorOf(state, own) < errorOf(state, plain.values.subarray(start, start + columns))) values.set(own, start);
    }
    return { values, bias };
  };
}

export interface AdaRoundRow {
  readonly weights: Float64Array;
  readonly scales: Float64Array;
  readonly zeros: Float64Array;
  /** ⌊w/s⌋ + z. */
  readonly floors: Float64Array;
  readonly limits: RoundingProblem["limits"];
  readonly gram: Float64Array;
  /** w D. */
  readonly shift: Float64Array;
}

function rowOf(problem: RoundingProblem, row: number, gram: Float64Array, drift?: Float64Array): AdaRoundRow {
  const { columns: n, limits } = problem;
  const weights = problem.weights.slice(row * n, (row + 1) * n);
  const scales = weights.map((_, i) => problem.parameters(row, i).scale);
  const zeros = weights.map((_, i) => problem.parameters(row, i).zeroPoint);
  const shift = drift ? productWith(weights, drift) : new Float64Array(n);
  const floors = weights.map((weight, i) => Math.floor(weight / (scales[i] ?? 0)) + (zeros[i] ?? 0));
  return { weights, scales, zeros, floors, limits, gram, shift };
}

/** `row · matrix`. */
function productWith(row: Float64Array, matrix: Float64Array): Float64Array {
  const n = row.length;
  const product = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const own = row[i] ?? 0;
    if (own === 0) continue;
    for (let j = 0; j < n; j++) product[j] = (product[j] ?? 0) + own * (matrix[i * n + j] ?? 0);
  }
  return product;
}

const [GAMMA, ZETA] = [-0.1, 1.1];

/** h(v) for every weight, in [0, 1]. */
export function learnRounding(row: AdaRoundRow, settings: Settings): Float64Array {
  const { steps, regularization, warmup } = settings;
  const v = startOf(row);
  const unit = unitOf(row);
  const descend = adam(v, settings.learningRate);
  for (let step = 1; step <= steps; step++) {
    const progress = step / steps;
    const beta = betaAt(progress, settings);
    const pull = pullOf(row, v);
    descend((i) => {
      const { h, slope } = rectified(v[i] ?? 0);
      return (unit * (pull[i] ?? 0) + (progress > warmup ? regularization * regularSlope(h, beta) : 0)) * slope;
    });
  }
  return v.map((each) => rectified(each).h);
}

/** The v for which nothing is rounded: h is the fraction of the weight in steps. */
function startOf({ weights, scales, zeros, floors }: AdaRoundRow): Float64Array {
  return weights.map((weight, i) => {
    const fraction = weight / (scales[i] ?? 0) + (zeros[i] ?? 0) - (floors[i] ?? 0);
    return -Math.log((ZETA - GAMMA) / (fraction - GAMMA) - 1);
  });
}

/** 1 / the mean over the weights of what rounding them at random costs. */
function unitOf({ scales, gram }: AdaRoundRow): number {
  const n = scales.length;
  const random = scales.reduce((sum, scale, i) => sum + (scale ** 2 * (gram[i * n + i] ?? 0)) / 12, 0);
  return random > 0 ? n / random : 0;
}

/** A step of Adam on `v`; the gradient of an element depends on no other that moves in the step. */
function adam(v: Float64Array, learningRate: number): (gradientOf: (i: number) => number) => void {
  const [first, second] = [new Float64Array(v.length), new Float64Array(v.length)];
  let step = 0;
  return (gradientOf) => {
    step++;
    for (let i = 0; i < v.length; i++) {
      const gradient = gradientOf(i);
      first[i] = 0.9 * (first[i] ?? 0) + 0.1 * gradient;
      second[i] = 0.999 * (second[i] ?? 0) + 0.001 * gradient * gradient;
      const mean = (first[i] ?? 0) / (1 - 0.9 ** step);
      v[i] = (v[i] ?? 0) - (learningRate * mean) / (Math.sqrt((second[i] ?? 0) / (1 - 0.999 ** step)) + 1e-8);
    }
  };
}

function betaAt(progress: number, { betas: [from, to], warmup }: Settings): number {
  const share = Math.max(0, (progress - warmup) / (1 - warmup));
  return to + 0.5 * (from - to) * (1 + Math.cos(share * Math.PI));
}

function rectified(v: number): { readonly h: number; readonly slope: number } {
  const sigmoid = 1 / (1 + Math.exp(-v));
  const h = (ZETA - GAMMA) * sigmoid + GAMMA;
  if (h <= 0 || h >= 1) return { h: Math.min(1, Math.max(0, h)), slope: 0 };
  return { h, slope: (ZETA - GAMMA) * sigmoid * (1 - sigmoid) };
}

/** ∂/∂h of `1 − |2h − 1|^β`. */
function regularSlope(h: number, beta: number): number {
  const from = 2 * h - 1;
  return -2 * beta * Math.sign(from) * Math.abs(from) ** (beta - 1);
}

/** ∂/∂h of `E‖w x − ŵ x̂‖²`; none where the integer is clipped. */
function pullOf({ weights, scales, zeros, floors, limits, gram, shift }: AdaRoundRow, v: Float64Array): Float64Array {
  const isInside = new Uint8Array(v.length);
  const errors = v.map((each, i) => {
    const integer = (floors[i] ?? 0) + rectified(each).h;
    isInside[i] = integer >= limits.low && integer <= limits.high ? 1 : 0;
    return (
      (weights[i] ?? 0) - (scales[i] ?? 0) * (Math.min(limits.high, Math.max(limits.low, integer)) - (zeros[i] ?? 0))
    );
  });
  const slopes = productWith(errors, gram);
  return slopes.map((slope, i) => -2 * (isInside[i] ?? 0) * (scales[i] ?? 0) * (slope + (shift[i] ?? 0)));
}

function integersOf({ floors, limits }: AdaRoundRow, h: Float64Array): Int32Array {
  const clipped = (value: number) => Math.min(limits.high, Math.max(limits.low, value));
  return new Int32Array(h.length).map((_, i) => clipped((floors[i] ?? 0) + ((h[i] ?? 0) >= 0.5 ? 1 : 0)));
}

/** `E‖w x − ŵ x̂‖²` but for what does not depend on ŵ. */
function errorOf({ weights, scales, zeros, gram, shift }: AdaRoundRow, integers: Int32Array): number {
  const errors = weights.map((weight, i) => weight - (scales[i] ?? 0) * ((integers[i] ?? 0) - (zeros[i] ?? 0)));
  return quadraticForm(gram, weights.length, errors) + 2 * errors.reduce((sum, e, i) => sum + e * (shift[i] ?? 0), 0);
}

/**
 * @file First and second moments of the gradient, as Adam and LAMB keep them.
 *
 * The state holds decayed sums, m' = Σ β₁^(t−i)·gᵢ and v' = Σ β₂^(t−i)·gᵢ², without the factors (1 − β): they and the
 * corrections of the bias are scalars, so two passes over every parameter are saved. With c₁ = (1 − β₁)/(1 − β₁ᵗ) and
 * r = √((1 − β₂ᵗ)/(1 − β₂)),
 *
 *   m̂ / (√v̂ + ε) = c₁·r · m' / (√v' + ε·r).
 */
import { must } from "../../checked.ts";
import type { DataType, Value } from "../../ir/index.ts";
import { number, pair } from "../../settings/index.ts";
import { dtypeOf, type StepBuilder } from "../step/step-builder.ts";
import { type Optimizer, type OptimizerState, type UpdateInputs, zerosLike } from "./optimizer.ts";
import { checkFactor } from "./settings.ts";

export interface MomentOptions {
  /** β₁ of the mean and β₂ of the mean square. */
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** For configurations. */
export const momentKinds = { betas: pair(), epsilon: number(), weightDecay: number() };

export interface MomentSettings {
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly weightDecay: number;
}

export function momentSettings(options: MomentOptions, defaults: MomentSettings): MomentSettings {
  const { betas, epsilon, weightDecay } = { ...defaults, ...options };
  checkFactor("betas[0]", betas[0]);
  checkFactor("betas[1]", betas[1]);
  checkFactor("epsilon", epsilon, Number.POSITIVE_INFINITY);
  checkFactor("weightDecay", weightDecay, Number.POSITIVE_INFINITY);
  return { betas, epsilon, weightDecay };
}

export const initMoments: Optimizer["init"] = (parameter) =>
  new Map([
    ["mean", zerosLike(parameter)],
    ["square", zerosLike(parameter)],
  ]);

export interface Direction {
  /** m' / (√v' + ε·r). */
  readonly ratio: Value;
  /** c₁·r, a scalar. */
  readonly factor: Value;
  readonly state: OptimizerState;
}

/** The next moments, and m̂ / (√v̂ + ε) = factor · ratio. */
export function momentDirection(
  g: StepBuilder,
  { gradient, state, step }: Pick<UpdateInputs, "gradient" | "state" | "step">,
  { betas: [beta1, beta2], epsilon }: MomentSettings,
): Direction {
  const dtype = dtypeOf(gradient);
  const mean = g.add(g.mul(must(state, "mean"), beta1), gradient);
  const square = g.add(g.mul(must(state, "square"), beta2), g.mul(gradient, gradient));
  const { factor, floor } = corrections(g, step, [beta1, beta2], epsilon, dtype);
  const ratio = g.div(mean, g.add(g.sqrt(square), floor));
  return {
    ratio,
    factor,
    state: new Map([
      ["mean", mean],
      ["square", square],
    ]),
  };
}

/** c₁·r and ε·r. */
function corrections(
  g: StepBuilder,
  step: Value,
  [beta1, beta2]: readonly [number, number],
  epsilon: number,
  dtype: DataType,
): { factor: Value; floor: Value } {
  const settings = `${beta1} ${beta2} ${epsilon}`;
  const rest = (beta: number) => g.shared(`rest ${beta}`, () => complement(g, beta, step));
  const scale = () => g.shared(`root ${beta2}`, () => g.sqrt(g.div(rest(beta2), 1 - beta2)));
  const factor = g.shared(`factor ${settings} ${dtype}`, () =>
    g.cast(g.div(g.mul(scale(), 1 - beta1), rest(beta1)), dtype),
  );
  const floor = g.shared(`floor ${settings} ${dtype}`, () => g.cast(g.mul(scale(), epsilon), dtype));
  return { factor, floor };
}

/**
 * 1 − βᵗ. The difference would lose five digits in float32, so it is taken in float64, or without one: −(eᵘ − 1) with
 * u = t·ln β, by its series u·(1 + u/2·(1 + u/3·(…))) where u is near 0.
 */
function complement(g: StepBuilder, beta: number, step: Value): Value {
  const t = g.shared(`${g.scalars} step`, () => g.cast(step, g.scalars));
  if (g.scalars === "float64") return g.sub(1, g.pow(g.number(beta, "float64"), t));
  const u = g.mul(t, Math.log(beta));
  let series = g.add(g.mul(u, 1 / TERMS), 1);
  for (let term = TERMS - 1; term > 1; term--) series = g.add(g.mul(g.mul(u, 1 / term), series), 1);
  const isNear = g.greater(u, g.number(NEAR, g.scalars));
  return g.neg(g.where(isNear, g.mul(u, series), g.sub(g.exp(u), 1)));
}

/** With |u| ≤ 1/2 the first term left out is below 1e-8 of the sum. */
const NEAR = -0.5;
const TERMS = 8;

/** @file What an optimizer is: the state that a parameter begins with, and the formulas of one update. */
import { type DataType, sizeOf, type Tensor, tensorFromNumbers, type Value } from "../../ir/index.ts";
import type { StepBuilder } from "../step/step-builder.ts";

/** A trainable tensor of a model. */
export interface Parameter {
  readonly name: string;
  readonly dtype: DataType;
  readonly dims: readonly number[];
}

export type OptimizerState = ReadonlyMap<string, Value>;

export interface UpdateInputs {
  readonly parameter: Value;
  readonly gradient: Value;
  /** One value per name that `init` gave. */
  readonly state: OptimizerState;
  /** A scalar of the parameter's dtype. */
  readonly learningRate: Value;
  /** The number of this update, counted from 1; an int64 scalar. */
  readonly step: Value;
  /** Whether weight decay applies to this parameter. */
  readonly decays: boolean;
}

export interface Updated {
  readonly parameter: Value;
  readonly state: OptimizerState;
}

/** An optimizer as a fragment of the step graph. Both methods depend on their arguments alone. */
export interface Optimizer {
  readonly name: string;
  /** The initial state of a parameter, by name. */
  init(parameter: Parameter): ReadonlyMap<string, Tensor>;
  update(g: StepBuilder, inputs: UpdateInputs): Updated;
}

export function zerosLike({ dtype, dims }: Parameter): Tensor {
  return tensorFromNumbers(dtype, dims, new Float64Array(sizeOf(dims)));
}

/** `w − learningRate·decay·w`, or w where it does not decay. */
export function decayed(g: StepBuilder, { parameter, learningRate, decays }: UpdateInputs, decay: number): Value {
  if (!decays || decay === 0) return parameter;
  const factor = g.shared(`keep ${learningRate.name} ${decay}`, () => g.sub(1, g.mul(learningRate, decay)));
  return g.mul(parameter, factor);
}

/** `gradient + decay·w`, or the gradient where it does not decay. */
export function penalised(g: StepBuilder, { parameter, gradient, decays }: UpdateInputs, decay: number): Value {
  return decays && decay !== 0 ? g.add(gradient, g.mul(parameter, decay)) : gradient;
}

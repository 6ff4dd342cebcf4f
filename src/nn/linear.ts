/** @file Affine layers. */
import type { Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { fanInUniform, type Initialiser } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";
import type { WeightLevels } from "./weight-levels/index.ts";

export interface LinearOptions {
  readonly bias?: boolean;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
  /** What is computed with in the place of the weights; the weights themselves by default. */
  readonly levels?: WeightLevels;
}

const linearOptionsNames: OptionNames<LinearOptions> = { bias: true, weight: true, biasInitial: true, levels: true };

/** y = x·W + b over the last axis; W is [in, out]. */
export function linear(n: Layers, x: Value, features: number, options: LinearOptions = {}): Value {
  checkOptions(options, linearOptionsNames);
  const fanIn = lengthOf(x, -1);
  const { bias = true, weight = fanInUniform(fanIn), biasInitial = fanInUniform(fanIn) } = options;
  const master = n.parameter("weight", [fanIn, features], weight);
  const product = n.matmul(x, options.levels?.(n, master, [0]) ?? master);
  return bias ? n.add(product, n.parameter("bias", [features], biasInitial)) : product;
}

/** Operators of one input that make a network more than linear. */
export type Activation =
  | "Celu"
  | "Elu"
  | "Gelu"
  | "HardSigmoid"
  | "HardSwish"
  | "Identity"
  | "LeakyRelu"
  | "Mish"
  | "Relu"
  | "Selu"
  | "Sigmoid"
  | "Softplus"
  | "Softsign"
  | "Tanh"
  | "ThresholdedRelu";

export interface MlpOptions {
  readonly hidden: number;
  /** An ONNX operator of one input; `Gelu` by default. */
  readonly activation?: Activation;
  readonly dropout?: number;
  readonly weight?: Initialiser;
  readonly biasInitial?: Initialiser;
}

const mlpOptionsNames: OptionNames<MlpOptions> = {
  hidden: true,
  activation: true,
  dropout: true,
  weight: true,
  biasInitial: true,
};

/** Two linear layers with an activation in between, back to the width of the input. */
export function mlpBlock(n: Layers, x: Value, given: MlpOptions): Value {
  const { hidden, activation = "Gelu", dropout: ratio, ...options } = checkOptions(given, mlpOptionsNames);
  const inner = n.op(activation, [linear(n.scope("in"), x, hidden, options)]);
  return dropout(n, linear(n.scope("out"), inner, lengthOf(x, -1), options), ratio);
}

/** Drops elements in training with probability `ratio` and scales the rest; does nothing otherwise. */
export function dropout(n: Layers, x: Value, ratio: number | undefined): Value {
  return ratio ? n.op("Dropout", [x, n.number(ratio)]) : x;
}

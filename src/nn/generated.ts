/** @file Weights that a small network makes from a few numbers: Liu et al., "MetaPruning" (2019), arXiv:1903.10258, section 3.1. */
import { floatsOf, sizeOf, type Tensor, tensor, type Value } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { fanInUniform, type Initialiser, uniform } from "./initialisers.ts";
import { type Layers, lengthOf } from "./network.ts";

export interface GeneratedOptions {
  /** Units between the two layers; 32 by default. */
  readonly hidden?: number;
  /** The standard deviation that the weights begin with, of features around 1; as two PyTorch layers begin when absent. */
  readonly deviation?: number;
}

/** The parameters of a generator, as values of a graph or as their tensors. */
export interface GeneratorParts<T> {
  readonly first: T;
  readonly firstBias: T;
  readonly second: T;
  readonly secondBias: T;
}

export interface Generated {
  /** The weights, of the dims that were asked for. */
  readonly value: Value;
  readonly parameters: GeneratorParts<Value>;
}

const generatedOptionsNames: OptionNames<GeneratedOptions> = { hidden: true, deviation: true };

/** w = W₂ᵀ · relu(W₁ᵀ · f + b₁) + b₂ in the given dims, of features f [1, n]: what is trained are W₁, b₁, W₂, b₂. */
export function generated(
  n: Layers,
  features: Value,
  dims: readonly number[],
  options: GeneratedOptions = {},
): Generated {
  const { hidden = 32, deviation } = checkOptions(options, generatedOptionsNames);
  const [inputs, outputs] = [lengthOf(features, 1), sizeOf(dims)];
  const begin = deviation === undefined ? fanInUniform(hidden) : spreading(deviation, inputs, hidden);
  const parameters = {
    first: n.parameter("first/weight", [inputs, hidden], fanInUniform(inputs)),
    firstBias: n.parameter("first/bias", [hidden], fanInUniform(inputs)),
    second: n.parameter("second/weight", [hidden, outputs], begin),
    secondBias: n.parameter("second/bias", [outputs], begin),
  };
  const inner = n.relu(n.add(n.matmul(features, parameters.first), parameters.firstBias));
  const flat = n.add(n.matmul(inner, parameters.second), parameters.secondBias);
  return { value: n.reshape(flat, dims), parameters };
}

/**
 * Uniform so that the weights have this standard deviation, of features of 1: with f of them in [−1/√f, 1/√f] a hidden unit has the mean
 * square (f + 1) / 6f, half of it behind a relu.
 */
function spreading(deviation: number, features: number, hidden: number): Initialiser {
  const square = (features + 1) / (6 * features);
  return uniform(deviation * Math.sqrt(3 / (1 + hidden * square)));
}

/** What `generated` computes, outside of a graph: in float64, rounded once. */
export function generatedTensor(
  { first, firstBias, second, secondBias }: GeneratorParts<Tensor>,
  features: readonly number[],
  dims: readonly number[],
): Tensor {
  const [w1, b1, w2, b2] = [floatsOf(first), floatsOf(firstBias), floatsOf(second), floatsOf(secondBias)];
  const sums = Float64Array.from(b2);
  for (const [unit, bias] of b1.entries()) {
    const inner = features.reduce((sum, feature, i) => sum + feature * w1[i * b1.length + unit]!, bias);
    if (inner <= 0) continue;
    const start = unit * sums.length;
    for (let i = 0; i < sums.length; i++) sums[i]! += inner * w2[start + i]!;
  }
  return tensor("float32", dims, Float32Array.from(sums));
}

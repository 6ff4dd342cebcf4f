/** @file What weights begin with before any training: by what they are summed over, and by what their operator says of them. */
import { random } from "../../data/index.ts";
import {
  isSparse,
  type Model,
  sizeOf,
  storedWeights,
  type Tensor,
  tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { kaimingNormal } from "../../nn/index.ts";
import { axisClasses, specOf } from "../../ops/index.ts";
import { withParameters } from "../../train/index.ts";
import { type WeightAxis, weightAxes } from "../weight-axes.ts";

/** How many weights are summed up for each number that a layer makes; 1 of vectors, such as scales and shifts. */
export function fanIn(value: Value, dims: readonly number[], axes: readonly WeightAxis[]): number {
  const made = new Set(axes.flatMap((axis) => (axis.value === value && axis.role === "out" ? [axis.axis] : [])));
  return dims.reduce((product, length, axis) => (made.has(axis) ? product : product * length), 1);
}

/** The number that operators say an input begins with, by the value that they read there. */
export function initialNumbers({ graph }: Model): ReadonlyMap<Value, number> {
  const found = new Map<Value, number>();
  for (const node of graph.nodes) {
    for (const [port, number] of Object.entries(specOf(node)?.weights?.initial ?? {})) {
      const value = node.inputs[Number(port)];
      if (value) found.set(value, number);
    }
  }
  return found;
}

/** Initial values are drawn from a stream of their own. */
const INITIAL = 0x3e7;

/**
 * The model as it was before any training: weights that are summed over drawn as by He et al. (2015), arXiv:1502.01852, scales 1, shifts
 * and means 0, variances 1. Vectors of which no operator says what they begin with stay.
 */
export function untrained(given: Model, seed: number): Model {
  const model = storedWeights(given);
  const axes = weightAxes(model, axisClasses(model));
  const numbers = initialNumbers(model);
  const fresh = new Map<string, Tensor>();
  for (const [value, data] of model.graph.initializers) {
    if (isSparse(data) || data.dtype !== "float32") continue;
    const number = numbers.get(value);
    const fan = axes.some((axis) => axis.value === value) ? fanIn(value, data.dims, axes) : 1;
    if (number !== undefined) {
      fresh.set(value.name, tensorFromNumbers("float32", data.dims, new Float64Array(sizeOf(data.dims)).fill(number)));
    } else if (fan > 1) {
      const draws = random(seed, INITIAL, fresh.size);
      fresh.set(value.name, tensor("float32", data.dims, kaimingNormal(fan)(data.dims, draws)));
    }
  }
  return withParameters(model, fresh);
}

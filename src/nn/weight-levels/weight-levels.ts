/** @file What a layer computes with in the place of its weights, where those have few levels. */
import type { Value } from "../../ir/index.ts";
import type { Layers } from "../network.ts";

/**
 * The levels of trained weights, with a gradient straight through to them. `inputs` are the axes along which one output sums, so that the
 * others tell the outputs apart. What is computed from the weights alone becomes a constant in the trained network.
 */
export type WeightLevels = (n: Layers, weight: Value, inputs: readonly number[]) => Value;

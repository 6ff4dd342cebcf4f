/** @file From layers to rounding problems and back. */
import { canHaveBias, type Layer, type Moments } from "../../calibration/index.ts";
import { nth } from "../../checked.ts";
import { floatsOf } from "../../ir/index.ts";
import { correctedBias } from "../rounding/bias-correction.ts";
import type { Rounding, RoundingProblem } from "../rounding/index.ts";
import { grouping, limitsOf, type Parameters, type QuantizedTensor, type Scheme } from "../scheme.ts";

export interface RoundedLayer {
  readonly weight: QuantizedTensor;
  readonly bias: Float64Array | undefined;
}

export interface RoundingChoice {
  readonly scheme: Scheme;
  /** One for each group of the scheme's granularity. */
  readonly parameters: readonly Parameters[];
  readonly rounding: Rounding;
  /** Of each group of the layer. */
  readonly moments?: readonly Moments[] | undefined;
  /** Moves the mean of the output to where the float model has it. */
  readonly correctBias?: boolean;
  /** The weights are rounded already, as those of another layer; the bias alone is left. */
  readonly rounded?: QuantizedTensor | undefined;
}

/** Rounds the weights of a layer, group by group. A layer without bias gets one when that makes its output better. */
export function roundLayer(layer: Layer, choice: RoundingChoice): RoundedLayer {
  const { rows, columns, groups } = layer;
  const { scheme, parameters, rounding } = choice;
  const weights = floatsOf(layer.weightTensor);
  const biases = layer.biasTensor ? new Float64Array(floatsOf(layer.biasTensor)) : new Float64Array(rows);
  const values = new Int32Array(weights.length);
  const bias = new Float64Array(rows);
  const { groupOf } = grouping(layer.weightTensor.dims, scheme.granularity);
  const perGroup = rows / groups;
  for (let group = 0; group < groups; group++) {
    const first = group * perGroup;
    const at = (row: number, column: number): number => layer.position(first + row, column);
    const matrix = new Float64Array(perGroup * columns);
    for (let row = 0; row < perGroup; row++) {
      for (let column = 0; column < columns; column++) matrix[row * columns + column] = weights[at(row, column)]!;
    }
    const problem = {
      weights: matrix,
      biasFixed: !canHaveBias(layer),
      bias: biases.slice(first, first + perGroup),
      rows: perGroup,
      columns,
      parameters: (row: number, column: number) => nth(parameters, groupOf(at(row, column))),
      limits: limitsOf(scheme),
      moments: choice.moments?.[group],
    };
    const result = choice.rounded ? taken(choice.rounded, problem, at) : rounding(problem);
    for (let row = 0; row < perGroup; row++) {
      for (let column = 0; column < columns; column++) values[at(row, column)] = result.values[row * columns + column]!;
    }
    bias.set(choice.correctBias && canHaveBias(layer) ? correctedBias(problem, result) : result.bias, first);
  }
  const needed = layer.biasTensor !== undefined || bias.some((value) => value !== 0);
  return {
    weight: { dims: layer.weightTensor.dims, scheme, values, parameters },
    bias: needed ? bias : undefined,
  };
}

function taken({ values }: QuantizedTensor, problem: RoundingProblem, at: (row: number, column: number) => number) {
  const { rows, columns, bias } = problem;
  const own = new Int32Array(rows * columns).map((_, i) => values[at(Math.floor(i / columns), i % columns)]!);
  return { values: own, bias };
}

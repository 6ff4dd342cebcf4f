/** @file The fake form of static quantization, which can be trained, and the way from there to integers. */
import { type Layer, weightsIn } from "../../calibration/index.ts";
import { must, nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import {
  checkPatterns,
  floatsOf,
  isSparse,
  type Model,
  type Node,
  numbersOf,
  roundHalfEven,
  type Tensor,
  type Value,
} from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { withParameters } from "../../train/index.ts";
import { type FakeInserted, insertFakeQdq, type LayerConstants } from "../qdq/insert-qdq.ts";
import { writtenPlan } from "../quantizers/static.ts";
import { type StaticOptions, staticOptionsNames } from "../quantizers/static-options.ts";
import { roomForBias, type StaticPlan, staticPlan } from "../quantizers/static-plan.ts";
import type { Quantized } from "../report.ts";
import { grouping, limitsOf, type Parameters, type QuantizedTensor, type Scheme } from "../scheme.ts";
import { settled } from "./learning-form.ts";

/** Settings that say how weights are rounded once have no meaning where rounding is trained. */
type Rounded = "rounding" | "biasCorrection" | "sequential" | "positionsPerInput";

export type FakeQuantizeOptions = Omit<StaticOptions, Rounded>;

const { rounding, biasCorrection, sequential, positionsPerInput, ...fakeNames } = staticOptionsNames;

const fakeQuantizeOptionsNames: OptionNames<FakeQuantizeOptions> = fakeNames;

export interface FakeQuantized {
  /** Weights are floats in front of QuantizeLinear and DequantizeLinear. */
  readonly model: Model;
  /**
   * What `quantizeStatic` writes, with the weights, scales and zero points of `trained`, which is `model` after training. Both round alike, but
   * for biases, which become whole multiples of a 2⁻³² of their range.
   *
   * @throws UsageError for a model that is another one
   */
  convert(trained: Model): Quantized<Model>;
}

/**
 * Calibrates and places as `quantizeStatic` does, and writes the form that can be trained with the algorithm `quantizationAware`.
 * BatchNormalization should be fused before: its running statistics are a part of the weights then, and stay what they are.
 *
 * @throws as `quantizeStatic`
 */
export async function fakeQuantize(model: Model, options: FakeQuantizeOptions): Promise<FakeQuantized> {
  checkOptions(options, fakeQuantizeOptionsNames);
  const { exclude, include, overrides = [] } = options;
  checkPatterns(model.graph, { exclude, include, overrides: overrides.flatMap(({ nodes }) => nodes) });
  const plan = await staticPlan(model, options);
  const fake = insertFakeQdq(plan.source, plan);
  return { model: settled(fake.model), convert: (trained) => converted(plan, fake, trained, options) };
}

function converted(plan: StaticPlan, fake: FakeInserted, trained: Model, options: FakeQuantizeOptions) {
  const tensors = tensorsIn(trained);
  const source = withParameters(plan.source, tensors);
  const constant = weightsIn(source.graph);
  const layers = new Map(
    [...plan.placement.layers].map(([node, layer]): [Node, Layer] => [
      node,
      { ...layer, weightTensor: constant(layer.weight)!, biasTensor: constant(layer.bias) },
    ]),
  );
  const placement = { ...plan.placement, layers };
  const parameters = new Map(
    placement.values.map((value) => [value, activationParameters(fake, placement.representative(value), tensors)]),
  );
  const schemes = new Map(
    [...plan.schemes].map(([node, own]) => {
      const layer = must(layers, node);
      const scales = [...numbersOf(tensorOf(tensors, must(fake.weightScales, node)))];
      const learned = scales.map((scale) => ({ scale, zeroPoint: 0 }));
      return [node, { ...own, parameters: roomForBias(layer, learned, must(parameters, layer.input).scale) }];
    }),
  );
  const constants = new Map(
    [...layers].map(([node, layer]): [Node, LayerConstants] => {
      const { scheme, parameters: own } = must(schemes, node);
      const bias = layer.biasTensor && new Float64Array(floatsOf(layer.biasTensor));
      return [node, { weight: roundedAsTrained(layer.weightTensor, scheme, own), bias }];
    }),
  );
  const ranges = new Map(placement.values.map((value) => [value, rangeOf(must(parameters, value), plan)]));
  return writtenPlan({ ...plan, source, placement, parameters, schemes, ranges }, constants, options);
}

function activationParameters(
  { parameters }: FakeInserted,
  value: Value,
  tensors: ReadonlyMap<string, Tensor>,
): Parameters {
  const { scale, zeroPoint } = must(parameters, value);
  return {
    scale: nth([...numbersOf(tensorOf(tensors, scale))], 0),
    zeroPoint: nth([...numbersOf(tensorOf(tensors, zeroPoint))], 0),
  };
}

function rangeOf({ scale, zeroPoint }: Parameters, { activation, activationBits }: StaticPlan) {
  const { low, high } = limitsOf({ dtype: activation, symmetric: false, bits: activationBits });
  return { min: (low - zeroPoint) * scale, max: (high - zeroPoint) * scale };
}

function tensorsIn({ graph }: Model): Map<string, Tensor> {
  const dense = [...graph.initializers].flatMap(([{ name }, data]) => (isSparse(data) ? [] : [[name, data] as const]));
  return new Map(dense);
}

function tensorOf(tensors: ReadonlyMap<string, Tensor>, { name }: Value): Tensor {
  const tensor = tensors.get(name);
  if (tensor) return tensor;
  throw new UsageError("this is not the fake form that was trained", {
    expected: `a model with the initializer ${JSON.stringify(name)}`,
    got: "a model without it",
    hint: "Convert what training made of the model that fakeQuantize gave.",
  });
}

/** The integers that QuantizeLinear gives in float32. */
function roundedAsTrained(
  { dims, ...weight }: Tensor,
  scheme: Scheme,
  parameters: readonly Parameters[],
): QuantizedTensor {
  const reals = floatsOf({ ...weight, dims });
  const values = new Int32Array(reals.length);
  const { low, high } = limitsOf({ ...scheme, symmetric: false });
  grouping(dims, scheme.granularity).each((i, group) => {
    const steps = roundHalfEven(Math.fround(reals[i]! / nth(parameters, group).scale));
    values[i] = Math.min(high, Math.max(low, steps));
  });
  return { dims, scheme, values, parameters };
}

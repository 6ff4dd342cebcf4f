/** @file BatchNormalization after a linear operator: f · (W x + b) + s = (f W) x + (f b + s). */
import { must } from "../../checked.ts";
import { floatOf, intOf, type Node, numbersOf, type Tensor, tensorFromNumbers, type Value } from "../../ir/index.ts";
import {
  type Declined,
  declined,
  type Replacement,
  type Rule,
  type RuleContext,
  replaceBy,
} from "../../rewrite/index.ts";
import { affineOf, type ChannelAffine, numbersIn } from "./affine.ts";

/** The output channel that each element of a weight contributes to. */
type ChannelOf = (index: number) => number;
type Layout = (node: Node, weight: Tensor) => ChannelOf;

/** W[out, in/group, kernel…] */
const convolution: Layout = (_, { dims }) => {
  const perChannel = dims.slice(1).reduce((product, dim) => product * dim, 1);
  return (index) => Math.floor(index / perChannel);
};

/** W[in, out/group, kernel…]: the input channels are split into groups, each with its own outputs. */
const transposedConvolution: Layout = (node, { dims }) => {
  const [inputs = 0, perGroup = 0, ...kernel] = dims;
  const area = kernel.reduce((product, dim) => product * dim, 1);
  const inputsPerGroup = inputs / intOf(node, "group", 1);
  return (index) => {
    const group = Math.floor(index / (perGroup * area) / inputsPerGroup);
    return group * perGroup + (Math.floor(index / area) % perGroup);
  };
};

const generalProduct: Layout = (node, { dims: [, columns = 1] }) =>
  intOf(node, "transB", 0) === 1 ? (index) => Math.floor(index / columns) : (index) => index % columns;

const layouts = new Map<string, Layout>([
  ["Conv", convolution],
  ["ConvTranspose", transposedConvolution],
  ["Gemm", generalProduct],
]);

export const batchNormAfterLinear: Rule = {
  name: "batchnorm-after-linear",
  roots: ["BatchNormalization"],
  apply(norm, context) {
    const linear = linearBefore(norm.inputs[0], context);
    if (!linear) return undefined;
    const affine = affineOf(norm, context);
    return "declined" in affine ? affine : foldInto(linear, context, affine);
  },
};

/** The operator with a weight that makes `value`. */
export function linearBefore(value: Value | undefined, context: RuleContext): Node | undefined {
  const linear = context.producer(value);
  return linear?.domain === "" && layouts.has(linear.opType) ? linear : undefined;
}

/** The linear operator with `affine` folded into its weight and bias. */
export function foldInto(linear: Node, context: RuleContext, affine: ChannelAffine): Replacement | Declined {
  const parts = partsOf(linear, context, affine.factor.length);
  if ("declined" in parts) return parts;
  const channelOf = must(layouts, linear.opType)(linear, parts.weight);
  const last = parts.weight.dims.reduce((product, dim) => product * dim, 1) - 1;
  if (channelOf(last) !== affine.factor.length - 1) return declined("it has another number of channels");
  const reason = `it is folded into the ${linear.opType} before it`;
  return replaceBy(reason, scaled(context, linear, parts, affine, channelOf));
}

/** The number of output channels of a linear operator whose weight is constant. */
export function channelsOf(linear: Node, context: RuleContext): number | undefined {
  const weight = context.constant(linear.inputs[1]);
  if (!weight || weight.dims.includes(0) || weight.dims.length < 2) return undefined;
  return must(layouts, linear.opType)(linear, weight)(weight.dims.reduce((product, dim) => product * dim, 1) - 1) + 1;
}

interface Parts {
  readonly x: Value;
  readonly weightValue: Value;
  readonly weight: Tensor;
  /** One number per channel, `beta` of Gemm included. */
  readonly bias: Float64Array;
}

function partsOf(linear: Node, context: RuleContext, channels: number): Parts | Declined {
  const [x, weightValue, biasValue] = linear.inputs;
  const [y] = linear.outputs;
  if (!x || !weightValue || !y) return declined("the operator before it lacks an input");
  if (!context.soleConsumer(y)) return declined(`something else reads the output of the ${linear.opType} before it`);
  const weight = context.constant(weightValue);
  if (!weight) return declined(`the weight of the ${linear.opType} before it is not a constant`);
  const bias = biasValue ? numbersIn(context, biasValue) : new Float64Array(channels);
  if (!bias) return declined(`the bias of the ${linear.opType} before it is not a constant`);
  if (bias.length !== 1 && bias.length !== channels)
    return declined("the bias before it is not one number per channel");
  const dims = biasValue ? (context.constant(biasValue)?.dims ?? []) : [];
  if (biasValue && bias.length > 1 && dims.at(-1) !== channels)
    return declined("the bias before it does not run along the channels");
  const beta = linear.opType === "Gemm" ? floatOf(linear, "beta", 1) : 1;
  return {
    x,
    weightValue,
    weight,
    bias: new Float64Array(channels).map((_, c) => beta * bias[c % bias.length]!),
  };
}

function scaled(
  { g }: RuleContext,
  linear: Node,
  { x, weightValue, weight, bias }: Parts,
  { factor, shift }: ChannelAffine,
  channelOf: ChannelOf,
): Value {
  const weights = numbersOf(weight).map((value, i) => value * factor[channelOf(i)]!);
  const biases = bias.map((value, c) => value * factor[c]! + shift[c]!);
  const w = g.constant(weightValue.name, tensorFromNumbers(weight.dtype, weight.dims, weights));
  const b = g.constant(`${weightValue.name}_bias`, tensorFromNumbers(weight.dtype, [bias.length], biases));
  return g.like(linear, [x, w, b], { beta: undefined })[0];
}

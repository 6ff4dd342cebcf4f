/** @file BatchNormalization before a linear operator: W (f · x + s) + b = (W f) x + (W s + b). */
import { nth } from "../../checked.ts";
import {
  floatOf,
  intOf,
  intsOf,
  type Node,
  numbersOf,
  stringOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { type Declined, declined, type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";
import { affineOf, type ChannelAffine, numbersIn } from "./affine.ts";

/** Where an element of the weight stands: the channel that it reads and the one that it contributes to. */
interface Place {
  readonly input: number;
  readonly output: number;
}
type PlaceOf = (index: number) => Place;

export const batchNormBeforeConv: Rule = {
  name: "batchnorm-before-conv",
  roots: ["Conv"],
  apply(conv, context) {
    const found = normBefore(conv, context);
    if (!found || "declined" in found) return found;
    const { weight, affine, outputs } = found;
    if (pads(conv) && affine.shift.some((shift) => shift !== 0))
      return declined("the padding would have to hold the shift of the BatchNormalization before it");
    const [, perGroup = 0, ...kernel] = weight.dims;
    const area = kernel.reduce((product, dim) => product * dim, 1);
    const outputsPerGroup = outputs / intOf(conv, "group", 1);
    const placeOf: PlaceOf = (index) => {
      const output = Math.floor(index / (perGroup * area));
      return { output, input: Math.floor(output / outputsPerGroup) * perGroup + (Math.floor(index / area) % perGroup) };
    };
    return replaceBy("the BatchNormalization before it is folded in", merged(context, conv, found, placeOf, 1));
  },
};

export const batchNormBeforeGemm: Rule = {
  name: "batchnorm-before-gemm",
  roots: ["Gemm"],
  apply(gemm, context) {
    if (intOf(gemm, "transA", 0) === 1) return undefined;
    const found = normBefore(gemm, context);
    if (!found || "declined" in found) return found;
    const columns = found.weight.dims[1] ?? 0;
    const byRows: PlaceOf = (index) => ({ input: Math.floor(index / columns), output: index % columns });
    const transposed = intOf(gemm, "transB", 0) === 1;
    const placeOf: PlaceOf = transposed ? (i) => ({ input: byRows(i).output, output: byRows(i).input }) : byRows;
    const alpha = floatOf(gemm, "alpha", 1);
    return replaceBy("the BatchNormalization before it is folded in", merged(context, gemm, found, placeOf, alpha));
  },
};

interface Found {
  readonly x: Value;
  readonly weightValue: Value;
  readonly weight: Tensor;
  readonly bias: Float64Array;
  readonly affine: ChannelAffine;
  readonly outputs: number;
}

function normBefore(linear: Node, context: RuleContext): Found | Declined | undefined {
  const [input, weightValue, biasValue] = linear.inputs;
  const norm = context.producer(input);
  const [x] = norm?.inputs ?? [];
  if (!input || !weightValue || !x || norm?.opType !== "BatchNormalization") return undefined;
  const weight = context.constant(weightValue);
  if (!weight || weight.dims.length < 2) return undefined;
  if (!context.soleConsumer(input)) return declined("something else reads the BatchNormalization before it");
  const affine = affineOf(norm, context);
  if ("declined" in affine) return affine;
  const inputs = inputChannels(linear, weight);
  if (affine.factor.length !== inputs) return declined(`it reads ${inputs} channels of ${affine.factor.length}`);
  const outputs =
    linear.opType === "Gemm" && intOf(linear, "transB", 0) === 0 ? nth(weight.dims, 1) : nth(weight.dims, 0);
  const bias = biasValue ? numbersIn(context, biasValue) : new Float64Array(outputs);
  const dims = biasValue ? (context.constant(biasValue)?.dims ?? []) : [];
  if (!bias || (biasValue && bias.length > 1 && (bias.length !== outputs || dims.at(-1) !== outputs)))
    return declined("its bias is not one constant per channel");
  return { x, weightValue, weight, bias, affine, outputs };
}

function inputChannels(linear: Node, { dims }: Tensor): number {
  if (linear.opType === "Conv") return nth(dims, 1) * intOf(linear, "group", 1);
  return intOf(linear, "transB", 0) === 1 ? nth(dims, 1) : nth(dims, 0);
}

function pads(conv: Node): boolean {
  const mode = stringOf(conv, "auto_pad", "NOTSET");
  if (mode === "VALID") return false;
  return mode !== "NOTSET" || (intsOf(conv, "pads") ?? []).some((pad) => pad !== 0);
}

function merged({ g }: RuleContext, linear: Node, found: Found, placeOf: PlaceOf, alpha: number): Value {
  const { x, weightValue, weight, affine, outputs } = found;
  const beta = linear.opType === "Gemm" ? floatOf(linear, "beta", 1) : 1;
  const bias = new Float64Array(outputs).map((_, o) => beta * (found.bias[o % found.bias.length] ?? 0));
  const weights = numbersOf(weight).map((value, i) => {
    const { input, output } = placeOf(i);
    bias[output]! += alpha * value * affine.shift[input]!;
    return value * affine.factor[input]!;
  });
  const w = g.constant(weightValue.name, tensorFromNumbers(weight.dtype, weight.dims, weights));
  const b = g.constant(`${weightValue.name}_bias`, tensorFromNumbers(weight.dtype, [outputs], bias));
  return g.like(linear, [x, w, b], { beta: undefined })[0];
}

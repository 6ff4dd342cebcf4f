/**
 * @file Straight-through gradients of quantization: rounding counts as the identity inside the range and as a constant outside
 * (Bengio et al. 2013, arXiv:1308.3432). Of the pair q = clip(x/s + z), y = s·(q − z) the scale then receives what learned
 * step sizes do: q − z − x/s inside, q − z outside (Esser et al. 2020, arXiv:1902.08153).
 */
import { UnsupportedError } from "../../errors.ts";
import { type DataType, dataTypes, describeNode, intOf, type Node, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type GradientEntry, type GradientRule, refuse } from "../rule.ts";

/** A per-axis scale or zero point in the dims of x; floats, since the runtime moves no integers of 4 bits. */
function alongAxis(g: GradientBuilder, node: Node, x: Value, vector: Value): Value {
  if (intOf(node, "block_size", 0) > 0) {
    throw new UnsupportedError(`${node.opType} in blocks has no gradient`, { where: describeNode(node) });
  }
  if (g.rank(vector) === 0 || g.dims(vector)[0] === 1) return vector;
  const axis = intOf(node, "axis", 1);
  const at = axis < 0 ? axis + g.rank(x) : axis;
  return g.unsqueeze(
    vector,
    g.dims(x).flatMap((_, i) => (i === at ? [] : [i])),
  );
}

/** The cotangent of q, an integer, is a float of the scale's dtype. */
const dequantize: GradientRule = (g, node, [dy], needs) => {
  const [q, scale, zero] = node.inputs;
  if (!q || !scale || !dy) return [];
  const wide = alongAxis(g, node, q, scale);
  const shift = zero && alongAxis(g, node, q, g.cast(zero, g.dtype(scale)));
  const offset = (): Value => (shift ? g.sub(g.cast(q, g.dtype(scale)), shift) : g.cast(q, g.dtype(scale)));
  return [
    needs[0] ? g.mul(dy, wide) : undefined,
    needs[1] ? g.reshapeLike(g.sumTo(g.mul(dy, offset()), wide), scale) : undefined,
  ];
};

const quantize: GradientRule = (g, node, [dq], needs) => {
  const [x, scale, zero] = node.inputs;
  const [q] = node.outputs;
  if (!x || !scale || !q || !dq) return [];
  const wide = alongAxis(g, node, x, scale);
  const shift = zero && alongAxis(g, node, x, g.cast(zero, g.dtype(x)));
  const inside = g.mul(dq, inRange(g, g.div(x, wide), shift, g.dtype(q)));
  return [
    needs[0] ? g.div(inside, wide) : undefined,
    needs[1] ? g.reshapeLike(g.sumTo(g.neg(g.div(g.mul(inside, x), g.mul(wide, wide))), wide), scale) : undefined,
  ];
};

/** 1 where x/s + z lies in the range of the integer type. */
function inRange(g: GradientBuilder, steps: Value, shift: Value | undefined, dtype: DataType): Value {
  const { bits, kind } = dataTypes[dtype];
  if (kind !== "int" && kind !== "uint") {
    throw new UnsupportedError(`quantization to ${dtype} has no straight-through gradient`, { expected: "an integer" });
  }
  const low = kind === "int" ? -(2 ** (bits - 1)) : 0;
  const high = low + 2 ** bits - 1;
  const place = shift ? g.add(steps, shift) : steps;
  const isAbove = g.op("GreaterOrEqual", [place, g.number(low, place)]);
  return g.mask(g.and(isAbove, g.op("LessOrEqual", [place, g.number(high, place)])), steps);
}

const integers = refuse("it computes with integers; train the float model, with QuantizeLinear and DequantizeLinear");

export const quantization = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  "com.microsoft::QuantizeLinear": quantize,
  "com.microsoft::DequantizeLinear": dequantize,
  DynamicQuantizeLinear: refuse("its scale comes from the extremes of its input; use QuantizeLinear"),
  MatMulInteger: integers,
  QLinearMatMul: integers,
  "com.microsoft::QGemm": integers,
  "com.microsoft::MatMulIntegerToFloat": integers,
  "com.microsoft::DynamicQuantizeMatMul": integers,
  "com.microsoft::QLinearAdd": integers,
  "com.microsoft::QLinearMul": integers,
  "com.microsoft::QLinearSigmoid": integers,
  "com.microsoft::QLinearLeakyRelu": integers,
  "com.microsoft::QLinearSoftmax": integers,
  "com.microsoft::QLinearAveragePool": integers,
  "com.microsoft::QLinearGlobalAveragePool": integers,
  "com.microsoft::QLinearConcat": integers,
  "com.microsoft::MatMulNBits": refuse("its weights are packed; train DequantizeLinear and MatMul"),
  "com.microsoft::MatMulBnb4": refuse("its weights are packed; train DequantizeLinear and MatMul"),
  "com.microsoft::GatherBlockQuantized": refuse("its weights are packed; train DequantizeLinear and Gather"),
  "com.microsoft::DynamicQuantizeLSTM": refuse("its weights are integers; train LSTM"),
  "com.microsoft::QMoE": refuse("its weights are packed"),
} satisfies Record<string, GradientEntry>;

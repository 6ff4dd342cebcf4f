/** @file Quantization: `y = saturate(round(x / scale) + zeroPoint)` and back. */
import { type DataType, intOf, tensorType } from "../ir/index.ts";
import { end, mixed, noAxes, same } from "./axes.ts";
import { dtypeAttribute } from "./constant.ts";
import { costPerOutput } from "./cost.ts";
import { asTensor, axisIn, dimsOf, dtypeOf, typed } from "./dims.ts";
import type { AxisLink, AxisRule, InferContext, NodeFacts, OpSpec } from "./spec.ts";

/** A vector of scales goes with `axis`; with blocks the axis can only be cut by whole blocks. */
const quantizedAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const scale = dimsOf(node, 1);
  if (!dims || !scale) return undefined;
  if (scale.length === 0 || (scale.length === 1 && scale[0] === 1)) {
    return dims.map((_, i) => same(end(0, i), end(0, i)));
  }
  const axis = axisIn(intOf(node.node, "axis", 1), dims.length);
  const blocked = scale.length > 1;
  const further = node.node.inputs[2] ? [1, 2] : [1];
  return dims.flatMap((_, i) => {
    if (blocked && i === axis) return blockLinks(node, i, further);
    const vectors = blocked
      ? further.map((port) => end(port, i))
      : i === axis
        ? further.map((port) => end(port, 0))
        : [];
    return same([end(0, i), ...vectors], end(0, i));
  });
};

/** Blocks of a known size that fill the axis; others cannot be cut. */
function blockLinks(node: NodeFacts, axis: number, scales: readonly number[]): AxisLink[] {
  const block = intOf(node.node, "block_size", 0);
  const [length, blocks] = [dimsOf(node, 0)?.[axis], dimsOf(node, 1)?.[axis]];
  if (block === 0 || typeof length !== "number" || length !== block * Number(blocks)) return [];
  const whole = end(0, axis, block === 1 ? {} : { inner: block });
  return [same([whole, ...scales.map((port) => end(port, axis))], whole)];
}

const settings = { settings: [1, 2] } as const;

function conversion(since: readonly number[], dtype: (context: InferContext) => DataType | undefined): OpSpec {
  return {
    since,
    infer: (context) => [typed(dtype(context), dimsOf(context, 0))],
    axes: quantizedAxes,
    cost: costPerOutput,
    exactness: "rounding",
  };
}

const codes = (context: InferContext): DataType =>
  dtypeOf(context, 2) ?? dtypeAttribute(context.node, "output_dtype") ?? "uint8";
const reals = (context: InferContext): DataType | undefined =>
  dtypeAttribute(context.node, "output_dtype") ?? dtypeOf(context, 1);

const quantize = (since: readonly number[]): OpSpec => ({ ...conversion(since, codes), weights: settings });
const dequantize = (since: readonly number[]): OpSpec => ({
  ...conversion(since, reals),
  weights: { quantized: [0], ...settings },
});

export const quantOps = {
  QuantizeLinear: quantize([10, 13, 19, 21, 23, 24, 25, 28]),
  DequantizeLinear: dequantize([10, 13, 19, 21, 23, 24, 25, 28]),
  DynamicQuantizeLinear: {
    since: [11],
    infer: (context) => {
      const x = asTensor(context.input(0));
      return [typed("uint8", x?.dims), tensorType("float32", []), tensorType("uint8", [])];
    },
    axes: (node) => dimsOf(node, 0)?.map((_, i) => mixed(end(0, i), end(0, i))) ?? noAxes(node),
    cost: costPerOutput,
    exactness: "rounding",
  },
  "com.microsoft::QuantizeLinear": quantize([1]),
  "com.microsoft::DequantizeLinear": dequantize([1]),
} satisfies Record<string, OpSpec>;

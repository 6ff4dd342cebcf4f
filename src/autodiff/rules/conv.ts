/** @file Gradients of convolutions; the forms stand in `conv/`. */

import { intOf, intsOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import { inputForm, weightForm } from "../conv/choose.ts";
import { type ConvGeometry, convGeometry, numbers, reach, type Windows, windowsOf } from "../conv/geometry.ts";
import { weightForms } from "../conv/weight-gradient.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type GradientEntry, type GradientRule, refuse } from "../rule.ts";

function biasGradient(g: GradientBuilder, dy: Value): Value {
  return g.reduceSum(
    dy,
    g.dims(dy).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
  );
}

const conv: GradientRule = (g, node, [dy], needs) => {
  const [x, w, bias] = node.inputs;
  const [y] = node.outputs;
  if (!x || !w || !y || !dy) return [];
  const geometry = convGeometry(g, node, x, w, y);
  const operands = { x, w, dy };
  return [
    needs[0] ? inputForm(g.forms.conv, geometry).build(g, operands, geometry) : undefined,
    needs[1] ? weightForm(g.forms.conv, geometry).build(g, operands, geometry) : undefined,
    bias && needs[2] ? biasGradient(g, dy) : undefined,
  ];
};

/** y = ConvTranspose(x, w) is the input gradient of Conv(·, w), so dx = Conv(dy, w) and dw is that of Conv with x as its output. */
const convTranspose: GradientRule = (g, node, [dy], needs) => {
  const [x, w, bias] = node.inputs;
  if (!x || !w || !dy) return [];
  const geometry = transposedGeometry(g, node, x, w, dy);
  const { strides, dilations, begin, end, group } = geometry;
  return [
    needs[0] ? g.op("Conv", [dy, w], { strides, dilations, pads: [...begin, ...end], group }) : undefined,
    needs[1] ? weightForms.convolution.build(g, { x: dy, w, dy: x }, geometry) : undefined,
    bias && needs[2] ? biasGradient(g, dy) : undefined,
  ];
};

/** The geometry of the convolution that leads from dy back to dx. */
function transposedGeometry(g: GradientBuilder, node: Node, x: Value, w: Value, dy: Value): ConvGeometry {
  const [batch, , ...rest] = g.dims(x);
  const to = numbers(node, x, rest);
  const [outputs, inputs, ...kernel] = numbers(node, w, g.dims(w));
  const from = numbers(node, dy, g.dims(dy).slice(2));
  const group = intOf(node, "group", 1);
  const explicit = windowsOf({ ...node, attributes: withoutAutoPad(node) }, kernel, from);
  const isAutomatic = intsOf(node, "output_shape") || stringOf(node, "auto_pad", "NOTSET") !== "NOTSET";
  const windows = isAutomatic ? { ...explicit, ...automaticPads(node, explicit, to, from) } : explicit;
  return { ...windows, batch: batch!, group, inputs: inputs!, outputs: outputs! / group, from, to };
}

function withoutAutoPad({ attributes }: Node): Node["attributes"] {
  return new Map([...attributes].filter(([name]) => name !== "auto_pad"));
}

/** The padding that makes `from` of `to`: total = stride·(to − 1) + reach + output padding − from. */
function automaticPads(node: Node, windows: Windows, to: readonly number[], from: readonly number[]) {
  const extra = intsOf(node, "output_padding") ?? to.map(() => 0);
  const length = reach(windows);
  const total = to.map((n, i) => Math.max(0, windows.strides[i]! * (n - 1) + length[i]! + extra[i]! - from[i]!));
  const less = total.map((amount) => Math.floor(amount / 2));
  const more = total.map((amount, i) => amount - less[i]!);
  const isUpper = stringOf(node, "auto_pad", "NOTSET") === "SAME_UPPER";
  return isUpper ? { begin: less, end: more } : { begin: more, end: less };
}

export const convolutions = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvInteger: refuse("it multiplies integers; train the float model"),
  QLinearConv: refuse("it multiplies integers; train the float model, with QuantizeLinear and DequantizeLinear"),
  DeformConv: refuse("its sampling positions have no rule"),
  CausalConvWithState: refuse("it is made for inference step by step; use Conv"),
} satisfies Record<string, GradientEntry>;

/** @file Gradients of convolutions; the forms stand in `conv/`. */

import { UnsupportedError } from "../../errors.ts";
import { describeNode, intOf, intsOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import { inputForm, weightForm } from "../conv/choose.ts";
import { type ConvGeometry, convGeometry, windowsOf } from "../conv/geometry.ts";
import { weightForms } from "../conv/weight-gradient.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import type { GradientEntry, GradientRule } from "../rule.ts";

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
  const [batch, , ...to] = g.dims(x) as [number, number, ...number[]];
  const [outputs, inputs, ...kernel] = g.dims(w) as number[];
  const from = g.dims(dy).slice(2) as number[];
  if ([outputs, inputs, ...kernel, ...to, ...from].some((dim) => typeof dim !== "number")) {
    throw new UnsupportedError("the gradient of ConvTranspose needs known dims beside the batch", {
      where: describeNode(node),
    });
  }
  const group = intOf(node, "group", 1);
  const windows = windowsOf(node, kernel, from);
  const explicit =
    intsOf(node, "output_shape") || node.attributes.has("auto_pad")
      ? automaticPads(node, windows.strides, windows.dilations, kernel, to, from)
      : {};
  return { ...windows, ...explicit, batch, group, inputs: inputs!, outputs: outputs! / group, from, to };
}

/** The padding that makes `to` outputs of `from`: total = stride·(to − 1) + reach + output padding − from. */
function automaticPads(
  node: Node,
  strides: readonly number[],
  dilations: readonly number[],
  kernel: readonly number[],
  to: readonly number[],
  from: readonly number[],
): { begin: number[]; end: number[] } {
  const extra = intsOf(node, "output_padding") ?? kernel.map(() => 0);
  const total = to.map((n, i) =>
    Math.max(0, strides[i]! * (n - 1) + (kernel[i]! - 1) * dilations[i]! + 1 + extra[i]! - from[i]!),
  );
  const isUpper = stringOf(node, "auto_pad", "NOTSET") === "SAME_UPPER";
  const less = total.map((amount) => Math.floor(amount / 2));
  const more = total.map((amount, i) => amount - less[i]!);
  return isUpper ? { begin: less, end: more } : { begin: more, end: less };
}

export const convolutions = { Conv: conv, ConvTranspose: convTranspose } satisfies Record<string, GradientEntry>;

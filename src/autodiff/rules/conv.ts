/** @file Gradients of convolutions; the forms stand in `conv/`. */

import { atLeast, nth } from "../../checked.ts";
import { intOf, intsOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import { inputForm, weightForm } from "../conv/choose.ts";
import { type ConvGeometry, convGeometry, numbers, reach, type Windows, windowsOf } from "../conv/geometry.ts";
import {
  openInputGradient,
  openTransposedInput,
  openTransposedWindows,
  openWeightGradient,
  openWindows,
} from "../conv/open-windows.ts";
import { weightForms } from "../conv/weight-gradient.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type Cotangents, type GradientEntry, type GradientRule, refuse } from "../rule.ts";

function biasGradient(g: GradientBuilder, dy: Value): Value {
  return g.sum(
    dy,
    g.dims(dy).flatMap((_, axis) => (axis === 1 ? [] : [axis])),
  );
}

const conv: GradientRule = (g, node, [dy], needs) => {
  const [x, w, bias] = node.inputs;
  const [y] = node.outputs;
  if (!x || !w || !y || !dy) return [];
  const operands = { x, w, dy };
  const geometry = convGeometry(g, node, x, w, y);
  if (!geometry) return openConv(g, node, operands, needs);
  return [
    needs[0] ? inputForm(g.forms.conv, geometry).build(g, operands, geometry) : undefined,
    needs[1] ? weightForm(g.forms.conv, geometry).build(g, operands, geometry) : undefined,
    bias && needs[2] ? biasGradient(g, dy) : undefined,
  ];
};

interface Operands {
  readonly x: Value;
  readonly w: Value;
  readonly dy: Value;
}

function openConv(g: GradientBuilder, node: Node, operands: Operands, needs: readonly boolean[]): Cotangents {
  const { x, w, dy } = operands;
  const lengths = { kernel: g.lengths(w, 2), from: g.lengths(x, 2), to: g.lengths(dy, 2) };
  const windows = openWindows(g, node, lengths, g.rank(w) - 2);
  const group = intOf(node, "group", 1);
  return [
    needs[0] ? openInputGradient(g, operands, windows, group) : undefined,
    needs[1] ? openWeightGradient(g, operands, windows, group) : undefined,
    needs[2] ? biasGradient(g, dy) : undefined,
  ];
}

/** y = ConvTranspose(x, w) is the input gradient of Conv(·, w), so dx = Conv(dy, w) and dw is that of Conv with x as its output. */
const convTranspose: GradientRule = (g, node, [dy], needs) => {
  const [x, w, bias] = node.inputs;
  if (!x || !w || !dy) return [];
  const geometry = transposedGeometry(g, node, x, w, dy);
  if (!geometry) return openTransposed(g, node, { x, w, dy }, needs);
  const { strides, dilations, begin, end, group } = geometry;
  return [
    needs[0] ? g.op("Conv", [dy, w], { strides, dilations, pads: [...begin, ...end], group }) : undefined,
    needs[1] ? weightForms.convolution.build(g, { x: dy, w, dy: x }, geometry) : undefined,
    bias && needs[2] ? biasGradient(g, dy) : undefined,
  ];
};

function openTransposed(g: GradientBuilder, node: Node, operands: Operands, needs: readonly boolean[]): Cotangents {
  const { x, w, dy } = operands;
  const lengths = { kernel: g.lengths(w, 2), from: g.lengths(dy, 2), to: g.lengths(x, 2) };
  const windows = openTransposedWindows(g, node, lengths, g.rank(w) - 2);
  const group = intOf(node, "group", 1);
  return [
    needs[0] ? openTransposedInput(g, operands, windows, group) : undefined,
    needs[1] ? openWeightGradient(g, { x: dy, w, dy: x }, windows, group) : undefined,
    needs[2] ? biasGradient(g, dy) : undefined,
  ];
}

/** The geometry of the convolution that leads from dy back to dx; `undefined` where lengths are not known or none leads back. */
function transposedGeometry(g: GradientBuilder, node: Node, x: Value, w: Value, dy: Value): ConvGeometry | undefined {
  const [batch, , ...rest] = atLeast(g.dims(x), 1);
  const [to, weight, from] = [numbers(rest), numbers(g.dims(w)), numbers(g.dims(dy).slice(2))];
  if (!to || !weight || !from) return undefined;
  const [outputs, inputs, ...kernel] = atLeast(weight, 2);
  const group = intOf(node, "group", 1);
  const explicit = windowsOf({ ...node, attributes: withoutAutoPad(node) }, kernel, from);
  const isAutomatic = intsOf(node, "output_shape") || stringOf(node, "auto_pad", "NOTSET") !== "NOTSET";
  const windows = isAutomatic ? { ...explicit, ...automaticPads(node, explicit, to, from) } : explicit;
  const length = reach(windows);
  const room = from.map((n, i) => n + nth(windows.begin, i) + nth(windows.end, i) - nth(length, i));
  const leadsBack = room.every((n, i) => Math.floor(n / nth(windows.strides, i)) + 1 === to[i]);
  if (!leadsBack) return undefined;
  return { ...windows, batch: batch, group, inputs: inputs, outputs: outputs / group, from, to };
}

function withoutAutoPad({ attributes }: Node): Node["attributes"] {
  return new Map([...attributes].filter(([name]) => name !== "auto_pad"));
}

/** The padding that makes `from` of `to`: total = stride·(to − 1) + reach + output padding − from. */
function automaticPads(node: Node, windows: Windows, to: readonly number[], from: readonly number[]) {
  const extra = intsOf(node, "output_padding") ?? to.map(() => 0);
  const length = reach(windows);
  const total = to.map((n, i) =>
    Math.max(0, nth(windows.strides, i) * (n - 1) + nth(length, i) + nth(extra, i) - nth(from, i)),
  );
  const less = total.map((amount) => Math.floor(amount / 2));
  const more = total.map((amount, i) => amount - nth(less, i));
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

/** @file Signal processing: Fourier transforms, windows, mel weights. And `Det`. */
import { type Dim, intOf, UNKNOWN_DIM } from "../ir/index.ts";
import { end, noAxes, same } from "./axes.ts";
import { dtypeAttribute } from "./constant.ts";
import { costPerInput, costPerOutput } from "./cost.ts";
import { axisIn, dimFrom, dimsOf, dtypeOf, mapDim, typed } from "./dims.ts";
import type { AxisRule, InferRule, NodeFacts, OpSpec } from "./spec.ts";

const rounding = { exactness: "rounding" } as const;
const half = (dim: Dim): Dim => mapDim(dim, (length) => Math.floor(length / 2) + 1);

/** The transformed axis: an attribute until opset 19, then an input. */
function dftAxis(facts: NodeFacts, rank: number): number | undefined {
  if (facts.version < 20) return axisIn(intOf(facts.node, "axis", 1), rank);
  const given = facts.node.inputs[2] ? facts.symbols(2)?.[0] : -2;
  return typeof given === "number" ? axisIn(given, rank) : undefined;
}

/** Real or complex in, complex out; one-sided halves the axis, and back again when inverse. */
const inferDft: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0))];
  const axis = dftAxis(context, dims.length);
  const oneSided = intOf(context.node, "onesided", 0) === 1;
  const inverse = intOf(context.node, "inverse", 0) === 1;
  const last = oneSided && inverse ? 1 : 2;
  if (axis === undefined)
    return [
      typed(
        dtypeOf(context, 0),
        dims.map((_, i) => (i === dims.length - 1 ? last : UNKNOWN_DIM)),
      ),
    ];
  const own = oneSided && inverse ? mapDim(dims[axis]!, (length) => 2 * (length - 1)) : dims[axis]!;
  const length = context.node.inputs[1] ? dimFrom(context.symbols(1)?.[0]) : own;
  return [typed(dtypeOf(context, 0), dims.with(axis, oneSided && !inverse ? half(length) : length).with(-1, last))];
};

const dftAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const axis = dims && dftAxis(node, dims.length);
  if (axis === undefined) return undefined;
  return dims?.flatMap((_, i) => (i === axis || i === dims.length - 1 ? [] : [same(end(0, i), end(0, i))]));
};

/** `[batch, frames, bins, 2]`. */
const inferStft: InferRule = (context) => {
  const [batch = UNKNOWN_DIM, signal = UNKNOWN_DIM] = dimsOf(context, 0) ?? [];
  const step = context.symbols(1)?.[0];
  const given = context.node.inputs[3] ? dimFrom(context.symbols(3)?.[0]) : undefined;
  const length = given ?? dimsOf(context, 2)?.[0] ?? UNKNOWN_DIM;
  const known = typeof step === "number" && step > 0 && typeof length === "number";
  const frames = known ? mapDim(signal, (samples) => Math.floor((samples - length) / step) + 1) : UNKNOWN_DIM;
  const bins = intOf(context.node, "onesided", 1) === 1 ? half(length) : length;
  return [typed(dtypeOf(context, 0), [batch, frames, bins, 2])];
};

/** A window of the given length. */
const window: OpSpec = {
  since: [17],
  infer: (context) => [
    typed(dtypeAttribute(context.node, "output_datatype") ?? "float32", [dimFrom(context.symbols(0)?.[0])]),
  ],
  axes: noAxes,
  cost: costPerOutput,
  ...rounding,
};

export const signalOps = {
  DFT: { since: [17, 20], infer: inferDft, axes: dftAxes, cost: costPerOutput, ...rounding },
  STFT: {
    since: [17],
    infer: inferStft,
    axes: () => [same(end(0, 0), end(0, 0))],
    cost: costPerOutput,
    ...rounding,
  },
  BlackmanWindow: window,
  HammingWindow: window,
  HannWindow: window,
  MelWeightMatrix: {
    since: [17],
    infer: (context) => [
      typed(dtypeAttribute(context.node, "output_datatype") ?? "float32", [
        half(dimFrom(context.symbols(1)?.[0])),
        dimFrom(context.symbols(0)?.[0]),
      ]),
    ],
    axes: noAxes,
    cost: costPerOutput,
    ...rounding,
  },
  Det: {
    since: [11, 22],
    infer: (context) => [typed(dtypeOf(context, 0), dimsOf(context, 0)?.slice(0, -2))],
    axes: (node) =>
      dimsOf(node, 0)
        ?.slice(0, -2)
        .map((_, i) => same(end(0, i), end(0, i))),
    cost: costPerInput,
    ...rounding,
  },
} satisfies Record<string, OpSpec>;

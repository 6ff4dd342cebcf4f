/** @file Normalisations. Axes over which a mean or a norm is taken are mixed. */
import { type Dim, type Dims, intOf, intsOf } from "../ir/index.ts";
import { end, mixed, same, throughAxes } from "./axes.ts";
import { costPerInput } from "./cost.ts";
import { asTensor, axisIn, dimsOf, dtypeOf, typed } from "./dims.ts";
import { sameType } from "./elementwise.ts";
import type { AxisLink, AxisRule, InferRule, NodeFacts, OpSpec } from "./spec.ts";

/** An untrained norm only normalises. */
const scaleAndShift = { 1: 1, 2: 0 } as const;

const rounds = { cost: costPerInput, exactness: "rounding" } as const;

/** Y, then running (and before opset 14 saved) mean and variance, all of the channels' length. */
const inferBatchNorm: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const channels: Dim | undefined = dims && (dims.length > 1 ? dims[1] : 1);
  const vector = channels === undefined ? undefined : [channels];
  return context.node.outputs.map((_, i) =>
    i === 0 ? asTensor(context.input(0)) : typed(dtypeOf(context, 3) ?? dtypeOf(context, 0), vector),
  );
};

/** Vectors of one element per channel go with axis 1. */
function channelLinks(
  node: NodeFacts,
  vectors: readonly number[],
  kindOf: (axis: number) => "same" | "mixed",
): AxisLink[] {
  const dims = dimsOf(node, 0) ?? [];
  const perChannel = vectors.filter((port) => dimsOf(node, port)?.length === 1).map((port) => end(port, 0));
  return dims.map((_, axis) => {
    const inputs = axis === 1 ? [end(0, axis), ...perChannel] : [end(0, axis)];
    return kindOf(axis) === "same" ? same(inputs, end(0, axis)) : mixed(inputs, end(0, axis));
  });
}

const batchNormAxes: AxisRule = (node) => {
  if (!dimsOf(node, 0)) return undefined;
  const training = intOf(node.node, "training_mode", 0) === 1;
  const links = channelLinks(node, [1, 2, 3, 4], (axis) => (training && axis !== 1 ? "mixed" : "same"));
  const further = node.node.outputs.flatMap((value, i) => (value && i > 0 ? [end(i, 0)] : []));
  return links.map((link, axis) => (axis === 1 ? { ...link, outputs: [...link.outputs, ...further] } : link));
};

const instanceNormAxes: AxisRule = (node) =>
  dimsOf(node, 0) && channelLinks(node, [1, 2], (axis) => (axis < 2 ? "same" : "mixed"));

/** Whole groups of channels stand for themselves; within a group, and over the places, everything is mixed. Scales of opset 18 are one for each group. */
const groupNormAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const groups = intOf(node.node, "num_groups", 0);
  const members = dims && typeof dims[1] === "number" ? dims[1] / groups : 0;
  if (!dims || !(Number.isInteger(members) && members > 0)) return undefined;
  const perChannel = node.version >= 21;
  const rest = dims.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
  const through = rest.map((axis) => (axis === 0 ? same : mixed)(end(0, axis), end(0, axis)));
  const [whole, vector] = [
    members === 1 ? {} : { inner: members },
    perChannel && members > 1 ? { inner: members } : {},
  ];
  const group = same([end(0, 1, whole), end(1, 0, vector), end(2, 0, vector)], end(0, 1, whole));
  const member = end(0, 1, { outer: groups });
  const vectors = perChannel ? [end(1, 0, { outer: groups }), end(2, 0, { outer: groups })] : [];
  return members > 1 ? [...through, group, mixed([member, ...vectors], member)] : [...through, group];
};

function normAxis(facts: NodeFacts, rank: number): number {
  return axisIn(intOf(facts.node, "axis", -1), rank);
}

/** Y; then statistics with the normalised axes of length 1. */
const inferLayerNorm: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const first = dims && normAxis(context, dims.length);
  const statistics: Dims | undefined = dims?.map((dim, axis) => (first !== undefined && axis < first ? dim : 1));
  const dtype = intOf(context.node, "stash_type", 1) === 1 ? "float32" : dtypeOf(context, 0);
  return context.node.outputs.map((_, i) => (i === 0 ? asTensor(context.input(0)) : typed(dtype, statistics)));
};

/** Scale and bias are spread over the input from the right. */
const layerNormAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  if (!dims) return undefined;
  const first = normAxis(node, dims.length);
  return dims.map((dim, axis) => {
    const inputs = [end(0, axis)];
    for (const port of [1, 2]) {
      const other = dimsOf(node, port);
      const own = other && axis - dims.length + other.length;
      if (own !== undefined && own >= 0 && (other?.[own] !== 1 || dim === 1)) inputs.push(end(port, own));
    }
    const statistics = axis < first ? node.node.outputs.flatMap((v, i) => (v && i > 0 ? [end(i, axis)] : [])) : [];
    const outputs = [end(0, axis), ...statistics];
    return axis < first ? same(inputs, outputs) : mixed(inputs, outputs);
  });
};

const layerNorm = (since: readonly number[]): OpSpec => ({
  since,
  infer: inferLayerNorm,
  axes: layerNormAxes,
  weights: { initial: scaleAndShift },
  ...rounds,
});

/** Scale per channel; axes 2 and on are normalised over. */
export const normOps = {
  BatchNormalization: {
    since: [1, 6, 7, 9, 14, 15],
    infer: inferBatchNorm,
    axes: batchNormAxes,
    weights: { statistics: [3, 4], initial: { ...scaleAndShift, 3: 0, 4: 1 } },
    ...rounds,
  },
  InstanceNormalization: {
    since: [1, 6, 22],
    infer: sameType,
    axes: instanceNormAxes,
    weights: { initial: scaleAndShift },
    ...rounds,
  },
  GroupNormalization: {
    since: [18, 21],
    infer: sameType,
    axes: groupNormAxes,
    weights: { initial: scaleAndShift },
    ...rounds,
  },
  LayerNormalization: layerNorm([17]),
  RMSNormalization: layerNorm([23]),
  SimplifiedLayerNormalization: layerNorm([1]),
  LpNormalization: {
    since: [1, 22],
    infer: sameType,
    axes: throughAxes((node, rank) => [axisIn(intOf(node.node, "axis", -1), rank)]),
    ...rounds,
  },
  MeanVarianceNormalization: {
    since: [9, 13],
    infer: sameType,
    axes: throughAxes((node, rank) => (intsOf(node.node, "axes") ?? [0, 2, 3]).map((axis) => axisIn(axis, rank))),
    ...rounds,
  },
  ImageScaler: {
    since: [1],
    infer: sameType,
    axes: (node) => dimsOf(node, 0)?.flatMap((_, i) => (i === 1 ? [] : [same(end(0, i), end(0, i))])),
    ...rounds,
  },
} satisfies Record<string, OpSpec>;

/** @file Convolutions: X `[N, C, …]`, W `[M, C/group, …]` (transposed: `[C, M/group, …]`), Y `[N, M, …]`. */
import { ShapeError } from "../errors.ts";
import {
  type DataType,
  type Dim,
  type Dims,
  elementCount,
  intOf,
  intsOf,
  UNKNOWN_DIM,
  type ValueType,
} from "../ir/index.ts";
import { end, reduced, same, throughAxes } from "./axes.ts";
import { macCost, outputCount } from "./cost.ts";
import { asTensor, checkRank, dimsOf, dtypeOf, mapDim, outputDims, productDims, typed, unknownDims } from "./dims.ts";
import type {
  AxisEnd,
  AxisLink,
  AxisRule,
  Cost,
  InferContext,
  InferRule,
  NodeFacts,
  OpSpec,
  TypedNode,
} from "./spec.ts";
import { spreadLengths, windowCounts, windowOf } from "./windows.ts";

/** Which input is what. `perOutput` lists the vectors with one element per output channel. */
interface ConvPorts {
  readonly x: number;
  readonly w: number;
  readonly perOutput: readonly number[];
}

const plain: ConvPorts = { x: 0, w: 1, perOutput: [2] };
const quantized: ConvPorts = { x: 0, w: 3, perOutput: [4, 5, 8] };
const integer: ConvPorts = { x: 0, w: 1, perOutput: [3] };
const deformable: ConvPorts = { x: 0, w: 1, perOutput: [3] };

interface Geometry {
  readonly x: Dims;
  readonly kernel: Dims;
  readonly w: Dims | undefined;
  readonly group: number;
}

/** The dims of X and the kernel; `undefined` when a rank is unknown. */
function geometry(facts: NodeFacts, ports: ConvPorts): Geometry | undefined {
  const w = dimsOf(facts, ports.w);
  const given = intsOf(facts.node, "kernel_shape");
  const rank = dimsOf(facts, ports.x)?.length ?? w?.length ?? (given && given.length + 2);
  if (rank === undefined) return undefined;
  const x = dimsOf(facts, ports.x) ?? unknownDims(rank);
  checkRank(x, "the input of a convolution", 3, Number.POSITIVE_INFINITY);
  if (w) checkRank(w, "the weight of a convolution", rank);
  const kernel = w
    ? w.slice(2).map((dim, i) => (dim === UNKNOWN_DIM ? (given?.[i] ?? dim) : dim))
    : (given ?? unknownDims(rank - 2));
  return { x, kernel, w, group: intOf(facts.node, "group", 1) };
}

function checkChannels({ x, w, group }: Geometry, transposed: boolean): void {
  const channels = x[1];
  const weight = w?.[transposed ? 0 : 1];
  if (typeof channels !== "number" || typeof weight !== "number") return;
  const expected = transposed ? weight : weight * group;
  if (channels !== expected) {
    throw new ShapeError("a convolution's channels do not fit its weight", {
      expected: `${expected}${transposed || group === 1 ? "" : ` (${group} groups of ${weight})`}`,
      got: `${channels}`,
    });
  }
}

export function convDims(context: InferContext, ports: ConvPorts): Dims | undefined {
  const found = geometry(context, ports);
  if (!found) return undefined;
  checkChannels(found, false);
  const spatial = windowCounts(found.x.slice(2), windowOf(context.node, found.kernel));
  return [found.x[0]!, found.w?.[0] ?? UNKNOWN_DIM, ...spatial];
}

function transposedDims(context: InferContext): Dims | undefined {
  const found = geometry(context, plain);
  if (!found) return undefined;
  checkChannels(found, true);
  const channels = found.w ? productDims([found.w[1]!, found.group]) : UNKNOWN_DIM;
  const given = intsOf(context.node, "output_shape");
  const window = windowOf(context.node, found.kernel);
  const spatial = given
    ? given.slice(given.length - found.kernel.length)
    : spreadLengths(found.x.slice(2), window, intsOf(context.node, "output_padding") ?? []);
  return [found.x[0]!, channels, ...spatial];
}

function convType(ports: ConvPorts, dtype: (context: InferContext) => DataType | undefined): InferRule {
  return (context) => [typed(dtype(context), convDims(context, ports))];
}

/** Each output element is a sum over the window and the channels of its group. */
function convCost(ports: ConvPorts) {
  return (node: TypedNode): Cost | undefined => {
    const w = dimsOf(node, ports.w);
    return w && macCost(outputCount(node), elementCount(w.slice(1)));
  };
}

function transposedCost(node: TypedNode): Cost | undefined {
  const x = dimsOf(node, 0);
  const w = dimsOf(node, 1);
  return x && w && macCost(elementCount(x), elementCount(w.slice(1)));
}

interface Channels {
  /** Axis of W that runs over the output channels, and the one over the input channels. */
  readonly out: number;
  readonly in: number;
}

/**
 * Channel links. With one group the input channels are summed over; with several, each channel axis is
 * `groups × channels of a group`, and the attribute `group` follows the number of groups.
 */
function convLinks(ports: ConvPorts, weight: Channels): AxisRule {
  return (node) => {
    const found = geometry(node, ports);
    const output = outputDims(node);
    if (!found || !output) return undefined;
    const vectors = ports.perOutput.filter((port) => dimsOf(node, port)?.length === 1 && dimsOf(node, port)?.[0] !== 1);
    const channels = { ports, weight, vectors };
    const links = found.group === 1 ? ungrouped(channels) : grouped(channels, found, output);
    return [same(end(ports.x, 0), end(0, 0)), ...links, ...pointwiseLinks(node, found, ports)];
  };
}

interface ChannelPlaces {
  readonly ports: ConvPorts;
  readonly weight: Channels;
  readonly vectors: readonly number[];
}

function ungrouped({ ports, weight, vectors }: ChannelPlaces): AxisLink[] {
  return [
    reduced([end(ports.x, 1), end(ports.w, weight.in)]),
    same([end(ports.w, weight.out), ...vectors.map((port) => end(port, 0))], end(0, 1)),
  ];
}

function grouped({ ports, weight, vectors }: ChannelPlaces, { x, group }: Geometry, output: Dims): AxisLink[] {
  const per = (dim: Dim): number | undefined => (typeof dim === "number" ? dim / group : undefined);
  const [inner, outer] = [per(x[1]!), per(output[1]!)];
  if (inner === undefined || outer === undefined) return [];
  const transposed = weight.in === 0;
  const groups = (port: number, axis: number, size: number): AxisEnd =>
    end(port, axis, size === 1 ? {} : { inner: size });
  const members = (port: number, axis: number): AxisEnd => end(port, axis, { outer: group });
  const links = [
    same(
      [
        groups(ports.x, 1, inner),
        groups(ports.w, 0, transposed ? inner : outer),
        ...vectors.map((port) => groups(port, 0, outer)),
      ],
      groups(0, 1, outer),
    ),
  ];
  if (inner > 1) links.push(reduced([members(ports.x, 1), transposed ? members(ports.w, 0) : end(ports.w, 1)]));
  const weightOut = transposed ? end(ports.w, 1) : members(ports.w, 0);
  if (outer > 1) links.push(same([weightOut, ...vectors.map((port) => members(port, 0))], members(0, 1)));
  return links;
}

/** A 1 × 1 window with stride 1 and no padding treats every position alike. */
function pointwiseLinks({ node }: TypedNode, { kernel, x }: Geometry, ports: ConvPorts): AxisLink[] {
  const window = windowOf(node, kernel);
  const alone = (i: number): boolean =>
    window.kernel[i] === 1 && window.strides[i] === 1 && window.pads[i] === 0 && window.pads[i + kernel.length] === 0;
  return x.slice(2).flatMap((_, i) => (alone(i) ? [same(end(ports.x, i + 2), end(0, i + 2))] : []));
}

function convolution(
  since: readonly number[],
  ports: ConvPorts,
  dtype: (context: InferContext) => DataType | undefined = (context) => dtypeOf(context, ports.x),
): OpSpec {
  return {
    since,
    infer: convType(ports, dtype),
    axes: convLinks(ports, { out: 0, in: 1 }),
    cost: convCost(ports),
    exactness: "rounding",
  };
}

/** Depthwise over time with a carried state of the last `k - 1` positions. */
function inferCausal(context: InferContext): readonly (ValueType | undefined)[] {
  const x = asTensor(context.input(0));
  const kernel = dimsOf(context, 1)?.[2] ?? UNKNOWN_DIM;
  const state = x?.dims && [x.dims[0]!, x.dims[1]!, mapDim(kernel, (length) => length - 1)];
  return [x, typed(x?.dtype, state)];
}

const causalAxes: AxisRule = () => [
  same([end(0, 0), end(3, 0)], [end(0, 0), end(1, 0)]),
  same([end(0, 1), end(1, 0), end(2, 0), end(3, 1)], [end(0, 1), end(1, 1)]),
];

export const convOps = {
  Conv: { ...convolution([1, 11, 22], plain), weights: { initial: { 2: 0 } } },
  ConvInteger: { ...convolution([10], integer, () => "int32"), weights: { quantized: [1], settings: [2, 3] } },
  QLinearConv: {
    ...convolution([10], quantized, (context) => dtypeOf(context, 7) ?? dtypeOf(context, 0)),
    weights: { quantized: [3, 8], settings: [1, 2, 4, 5, 6, 7] },
  },
  DeformConv: {
    ...convolution([19, 22], deformable),
    axes: throughAxes((_, rank) => [...Array(rank).keys()].slice(1)),
  },
  "com.microsoft::FusedConv": convolution([1], plain),
  ConvTranspose: {
    since: [1, 11, 22],
    infer: (context) => [typed(dtypeOf(context, 0), transposedDims(context))],
    axes: convLinks(plain, { out: 1, in: 0 }),
    cost: transposedCost,
    exactness: "rounding",
    weights: { initial: { 2: 0 } },
  },
  CausalConvWithState: {
    since: [27],
    infer: inferCausal,
    axes: causalAxes,
    cost: convCost(plain),
    exactness: "rounding",
  },
} satisfies Record<string, OpSpec>;

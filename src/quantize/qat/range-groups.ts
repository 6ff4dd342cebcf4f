/** @file What a fake-quantized graph rounds: QuantizeLinear and DequantizeLinear pairs, those with one scale together. */
import { weightsIn } from "../../calibration/index.ts";
import { nth } from "../../checked.ts";
import {
  constantOf,
  type DataType,
  dataTypes,
  floatsOf,
  type Graph,
  intOf,
  isSparse,
  minOf,
  type Node,
  numbersOf,
  producerOf,
  sizeOf,
  type Tensor,
  usesOf,
  type Value,
} from "../../ir/index.ts";
import { isNarrow, isRangeClip, limitsOfNode } from "../qdq/bits.ts";
import type { RangeSite } from "../ranges/range.ts";
import type { Limits, QuantizedType } from "../scheme.ts";

/** A value that is rounded and put back. */
export interface Pair {
  readonly quantize: Node;
  /** What is rounded, in front of a clip that only keeps to the range. */
  readonly source: Value;
  readonly rangeClip?: Node;
  readonly dequantize: readonly Node[];
}

/** Pairs that read one scale. */
export interface RangeGroup {
  readonly scale: Value;
  readonly scaleTensor: Tensor;
  readonly zeroPoint: Value | undefined;
  readonly dtype: QuantizedType;
  readonly limits: Limits;
  readonly isNarrow: boolean;
  readonly pairs: readonly [Pair, ...Pair[]];
  /** The reals, where weights are rounded. */
  readonly weight: Tensor | undefined;
  readonly axis: number | undefined;
  /** As in the file. */
  readonly zero: number;
  /** What the values cannot exceed, since a Clip makes them. */
  readonly bound: number | undefined;
}

/** Groups of the main graph whose scale is an initializer and which nothing but DequantizeLinear with that scale reads. */
export function rangeGroups(graph: Graph): RangeGroup[] {
  const byScale = new Map<Value, Node[]>();
  for (const node of graph.nodes) {
    const scale = node.opType === "QuantizeLinear" && node.domain === "" ? node.inputs[1] : undefined;
    if (scale) byScale.set(scale, [...(byScale.get(scale) ?? []), node]);
  }
  return [...byScale].flatMap(([scale, nodes]) => groupOf(graph, scale, nodes) ?? []);
}

function groupOf(graph: Graph, scale: Value, nodes: readonly Node[]): RangeGroup | undefined {
  const scaleTensor = graph.initializers.get(scale);
  if (!scaleTensor || isSparse(scaleTensor) || scaleTensor.dtype !== "float32") return undefined;
  const pairs = nodes.flatMap((node) => pairOf(graph, scale, node) ?? []);
  const [first, ...rest] = pairs;
  const zeroPoint = nodes[0]?.inputs[2];
  const isAlike = nodes.every(({ inputs }) => inputs[2] === zeroPoint);
  if (!first || pairs.length < nodes.length || !isAlike) return undefined;
  const zeroTensor = zeroPoint && constantOf(graph, zeroPoint);
  if (zeroPoint && !zeroTensor) return undefined;
  const dtype = zeroTensor?.dtype ?? "uint8";
  if (!isQuantized(dtype) || intOf(first.quantize, "block_size", 0) > 0) return undefined;
  const weight = weightsIn(graph)(first.source);
  const isPerChannel = scaleTensor.dims.length === 1 && sizeOf(scaleTensor.dims) > 1;
  const rank = weight?.dims.length ?? 0;
  const axis = isPerChannel ? intOf(first.quantize, "axis", 1) : undefined;
  const zeros = zeroTensor ? numbersOf(zeroTensor) : [0];
  const isSupported = weight ? zeros.every((zero) => zero === 0) : !isPerChannel;
  if (!isSupported) return undefined;
  return {
    scale,
    scaleTensor,
    zeroPoint,
    dtype,
    limits: limitsOfNode(first.quantize, dtype),
    isNarrow: isNarrow(first.quantize),
    pairs: [first, ...rest],
    weight,
    axis: axis !== undefined && axis < 0 ? axis + rank : axis,
    zero: zeros[0] ?? 0,
    bound: lowestBound(graph, pairs),
  };
}

function isQuantized(dtype: DataType): dtype is QuantizedType {
  const { kind, bits } = dataTypes[dtype];
  return (kind === "int" || kind === "uint") && bits <= 16;
}

function pairOf(graph: Graph, scale: Value, quantize: Node): Pair | undefined {
  const [x, , zero] = quantize.inputs;
  const [q] = quantize.outputs;
  if (!x || !q || graph.outputs.includes(q)) return undefined;
  const dequantize = usesOf(graph, q).map(({ node }) => node);
  const isPair = (node: Node | undefined): node is Node =>
    node?.opType === "DequantizeLinear" && node.domain === "" && node.inputs[1] === scale && node.inputs[2] === zero;
  if (dequantize.length === 0 || !dequantize.every(isPair)) return undefined;
  const maker = producerOf(graph, x);
  if (!maker || !isRangeClip(maker)) return { quantize, source: x, dequantize };
  return { quantize, source: nth(maker.inputs, 0)!, rangeClip: maker, dequantize };
}

/** The least upper end of the Clips behind which values are rounded. */
function lowestBound(graph: Graph, pairs: readonly Pair[]): number | undefined {
  const bounds = pairs.flatMap(({ source }) => {
    const maker = producerOf(graph, source);
    const high = maker?.opType === "Clip" ? constantOf(graph, maker.inputs[2]) : undefined;
    return high ? [floatsOf(high)[0] ?? Infinity] : [];
  });
  return bounds.length === 0 ? undefined : minOf(bounds);
}

/** What a learned range is told of a group. */
export function siteOf(group: RangeGroup): RangeSite {
  const { scale, scaleTensor, limits, pairs, weight, axis, zero } = group;
  const [first, ...rest] = pairs;
  return {
    name: scale.name,
    role: weight ? "weight" : "activation",
    limits: weight && !group.isNarrow ? { low: -limits.high, high: limits.high } : limits,
    scale: scaleTensor,
    zeroPoint: zero,
    sources: [first.source, ...rest.map(({ source }) => source)],
    ...(weight && { weight }),
    ...(axis !== undefined && { axis }),
    count: countOf(group),
  };
}

function countOf({ weight, scaleTensor, pairs }: RangeGroup): number {
  if (weight) return Math.max(1, sizeOf(weight.dims) / sizeOf(scaleTensor.dims));
  const { type } = pairs[0].source;
  const dims = type?.kind === "tensor" ? (type.dims ?? []) : [];
  return dims.slice(1).reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1);
}

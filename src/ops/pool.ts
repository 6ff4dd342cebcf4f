/** @file Pools over sliding windows and over whole planes. */
import { type DataType, type Dim, type Dims, elementCount, exactNumber, intsOf, UNKNOWN_DIM } from "../ir/index.ts";
import { end, mixed, same } from "./axes.ts";
import { costPerInput, costPerOutput, elementwiseCost, outputCount } from "./cost.ts";
import { asTensor, checkRank, dimFrom, dimsOf, dtypeOf, typed, unknownDims } from "./dims.ts";
import type { AxisRule, CostRule, Exactness, InferContext, InferRule, OpSpec } from "./spec.ts";
import { windowCounts, windowOf } from "./windows.ts";

/** Axes that a pool treats alike: batch and channels; with channels last, the first and the last axis. */
function poolAxes(channelsLast = false): AxisRule {
  return (node) => {
    const rank = dimsOf(node, 0)?.length;
    if (rank === undefined) return undefined;
    return [0, channelsLast ? rank - 1 : 1].flatMap((axis) => {
      const pooled = same(end(0, axis), end(0, axis));
      // Indices count through the whole tensor, so that they change when something before them goes.
      return node.node.outputs[1] ? [pooled, mixed(end(0, axis), end(1, axis))] : [pooled];
    });
  };
}

const unpoolAxes: AxisRule = () => [0, 1].map((axis) => mixed([end(0, axis), end(1, axis)], end(0, axis)));

function pooledDims(context: InferContext, channelsLast: boolean): Dims | undefined {
  const kernel = intsOf(context.node, "kernel_shape");
  const dims = dimsOf(context, 0) ?? (kernel && unknownDims(kernel.length + 2));
  if (!dims || !kernel) return dims && unknownDims(dims.length);
  checkRank(dims, "the input of a pool", kernel.length + 2);
  const first = channelsLast ? 1 : 2;
  const spatial = windowCounts(dims.slice(first, first + kernel.length), windowOf(context.node, kernel));
  return [...dims.slice(0, first), ...spatial, ...dims.slice(first + kernel.length)];
}

function inferPool(channelsLast: boolean, further?: DataType): InferRule {
  return (context) => {
    const dims = pooledDims(context, channelsLast);
    return [typed(dtypeOf(context, 0), dims), typed(further, dims)];
  };
}

/** Every element of the window once per output element. */
export const costPerWindow: CostRule = (node) => {
  const [outputs, window] = [outputCount(node), elementCount(intsOf(node.node, "kernel_shape") ?? [])];
  return elementwiseCost(outputs === undefined || window === undefined ? undefined : outputs * window);
};

interface PoolParts {
  readonly exactness?: Exactness;
  readonly channelsLast?: boolean;
  readonly further?: DataType;
}

export function pool(
  since: readonly number[],
  { exactness = "rounding", channelsLast = false, further }: PoolParts = {},
) {
  const entry: OpSpec = {
    since,
    infer: inferPool(channelsLast, further),
    axes: poolAxes(channelsLast),
    cost: costPerWindow,
    exactness,
  };
  return entry;
}

export function globalPool(since: readonly number[], exactness: Exactness = "rounding", channelsLast = false): OpSpec {
  return {
    since,
    infer: (context) => {
      const dims = dimsOf(context, 0);
      const kept = channelsLast && dims ? dims.length - 1 : 1;
      return [
        typed(
          dtypeOf(context, 0),
          dims?.map((dim, axis): Dim => (axis === 0 || axis === kept ? dim : 1)),
        ),
      ];
    },
    axes: poolAxes(channelsLast),
    cost: costPerInput,
    exactness,
  };
}

/** The inverse of the pool's own rule, or the dims given by input 2. */
const inferUnpool: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const kernel = intsOf(context.node, "kernel_shape");
  const given = context.symbols(2);
  if (context.node.inputs[2]) {
    return [typed(dtypeOf(context, 0), given?.map(dimFrom) ?? (dims && unknownDims(dims.length)))];
  }
  if (!dims || !kernel) return [typed(dtypeOf(context, 0), dims && unknownDims(dims.length))];
  const { strides, pads } = windowOf(context.node, kernel);
  const spatial = dims.slice(2).map((dim, i): Dim => {
    if (typeof dim !== "number") return UNKNOWN_DIM;
    return (dim - 1) * strides[i]! + kernel[i]! - pads[i]! - pads[i + kernel.length]!;
  });
  return [typed(dtypeOf(context, 0), [...dims.slice(0, 2), ...spatial])];
};

/** Regions are cut out of the planes: one output per region. */
function roiType(sizes: (context: InferContext) => Dims, regionAxisOf: number): InferRule {
  return (context) => {
    const channels = dimsOf(context, 0)?.[1] ?? UNKNOWN_DIM;
    const regions = dimsOf(context, regionAxisOf)?.[0] ?? UNKNOWN_DIM;
    return [typed(asTensor(context.input(0))?.dtype, [regions, channels, ...sizes(context)])];
  };
}

const roiAxes: AxisRule = (node) => [
  same([end(1, 0), ...(node.node.opType === "RoiAlign" ? [end(2, 0)] : [])], end(0, 0)),
  same(end(0, 1), end(0, 1)),
];

const localAxes: AxisRule = (node) =>
  dimsOf(node, 0)?.map((_, axis) => (axis === 1 ? mixed : same)(end(0, axis), end(0, axis)));

export const poolOps = {
  AveragePool: pool([1, 7, 10, 11, 19, 22]),
  MaxPool: pool([1, 8, 10, 11, 12, 22], { exactness: "exact", further: "int64" }),
  LpPool: pool([1, 2, 11, 18, 22]),
  GlobalAveragePool: globalPool([1, 22]),
  GlobalMaxPool: globalPool([1, 22], "exact"),
  GlobalLpPool: globalPool([1, 2, 22]),
  MaxUnpool: {
    since: [9, 11, 22],
    infer: inferUnpool,
    axes: unpoolAxes,
    cost: costPerInput,
    exactness: "exact",
  },
  RoiAlign: {
    since: [10, 16, 22],
    infer: roiType(({ node }) => [sizeAttribute(node, "output_height"), sizeAttribute(node, "output_width")], 1),
    axes: roiAxes,
    cost: costPerOutput,
    exactness: "rounding",
  },
  MaxRoiPool: {
    since: [1, 22],
    infer: roiType(({ node }) => intsOf(node, "pooled_shape") ?? unknownDims(2), 1),
    axes: roiAxes,
    cost: costPerOutput,
    exactness: "exact",
  },
  LRN: {
    since: [1, 13],
    infer: (context) => [asTensor(context.input(0))],
    axes: localAxes,
    cost: costPerInput,
    exactness: "rounding",
  },
  "com.microsoft::NhwcMaxPool": pool([1], { exactness: "exact", channelsLast: true }),
} satisfies Record<string, OpSpec>;

function sizeAttribute(node: InferContext["node"], name: string): number {
  const attribute = node.attributes.get(name);
  return attribute?.type === "int" ? exactNumber(attribute.value) : 1;
}

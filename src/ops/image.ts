/** @file Operators on planes of pixels: resizing, sampling on grids, columns to images, boxes. */
import {
  type Dim,
  type Dims,
  elementCount,
  floatOf,
  floatsAttribute,
  intsOf,
  maxOf,
  minOf,
  stringOf,
  tensorType,
  UNKNOWN_DIM,
} from "../ir/index.ts";
import { end, noAxes, same } from "./axes.ts";
import { costPerInput, costPerOutput, noCost } from "./cost.ts";
import {
  axisIn,
  checkRank,
  dimFrom,
  dimsOf,
  dtypeOf,
  hasInput,
  mapDim,
  outputDims,
  quotientDims,
  typed,
  unknownDims,
} from "./dims.ts";
import type { AxisRule, InferRule, NodeFacts, OpSpec } from "./spec.ts";

/** `floor(length × scale)` in float32, as the runtime computes it. */
function scaled(dim: Dim, scale: Dim | undefined): Dim {
  if (scale === 1) return dim;
  if (typeof dim !== "number" || typeof scale !== "number") return UNKNOWN_DIM;
  return Math.floor(Math.fround(Math.fround(scale) * dim));
}

function resizedAxes(facts: NodeFacts, rank: number): readonly number[] {
  return intsOf(facts.node, "axes")?.map((axis) => axisIn(axis, rank)) ?? Array.from({ length: rank }, (_, i) => i);
}

/** Lengths from `sizes`, fitted to one common scale when the policy says so. */
function sizedDims(facts: NodeFacts, dims: Dims, axes: readonly number[], sizes: Dims): Dims {
  const policy = stringOf(facts.node, "keep_aspect_ratio_policy", "stretch");
  const result = [...dims];
  if (policy === "stretch") {
    axes.forEach((axis, i) => {
      result[axis] = dimFrom(sizes[i]);
    });
    return result;
  }
  const ratios = axes.map((axis, i) => Number(sizes[i]) / Number(dims[axis]));
  const scale = policy === "not_larger" ? minOf(ratios) : maxOf(ratios);
  for (const axis of axes)
    result[axis] = Number.isNaN(scale) ? UNKNOWN_DIM : mapDim(dims[axis]!, (n) => Math.floor(n * scale + 0.5));
  return result;
}

const inferResize: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0))];
  const axes = resizedAxes(context, dims.length);
  const sizes = context.version >= 11 && hasInput(context, 3) ? (context.symbols(3) ?? []) : undefined;
  if (sizes && sizes.length > 0) return [typed(dtypeOf(context, 0), sizedDims(context, dims, axes, sizes))];
  const scales = sizes ? undefined : context.symbols(context.version >= 11 ? 2 : 1);
  const result = [...dims];
  // A region of interest changes what is read, not how much is made of it.
  axes.forEach((axis, i) => {
    result[axis] = scaled(dims[axis]!, scales?.[i]);
  });
  return [typed(dtypeOf(context, 0), result)];
};

/** Axes with scale 1, or with a given size that is the length already. */
const resizeAxes: AxisRule = (node) => {
  const from = dimsOf(node, 0);
  const to = outputDims(node);
  if (!from || !to) return undefined;
  const cropped = stringOf(node.node, "coordinate_transformation_mode") === "tf_crop_and_resize";
  const stretched = stringOf(node.node, "keep_aspect_ratio_policy", "stretch") === "stretch";
  const axes = resizedAxes(node, from.length);
  const scales = node.symbols(node.version >= 11 ? 2 : 1) ?? floatsAttribute(node.node, "scales");
  return from.flatMap((dim, axis) => {
    const place = axes.indexOf(axis);
    const sized = hasInput(node, 3) && stretched && typeof dim === "number" && dim === to[axis];
    const still = place === -1 || (!cropped && (scales?.[place] === 1 || sized));
    return still ? [same(end(0, axis), end(0, axis))] : [];
  });
};

const inferUpsample: InferRule = (context) => {
  const { node } = context;
  const scales =
    context.version >= 9
      ? context.symbols(1)
      : (floatsAttribute(node, "scales") ?? [1, 1, floatOf(node, "height_scale", 1), floatOf(node, "width_scale", 1)]);
  return [
    typed(
      dtypeOf(context, 0),
      dimsOf(context, 0)?.map((dim, i) => scaled(dim, scales?.[i])),
    ),
  ];
};

/** `[N, H, W, 2]` or `[N, D, H, W, 3]`, from the size of the images. */
const inferAffineGrid: InferRule = (context) => {
  const size = context.symbols(1);
  if (!size) return [typed(dtypeOf(context, 0))];
  return [typed(dtypeOf(context, 0), [dimFrom(size[0]), ...size.slice(2).map(dimFrom), size.length - 2])];
};

/** X `[N, C, …]` sampled at a grid `[N, …, rank]`. */
const inferGridSample: InferRule = (context) => {
  const image = dimsOf(context, 0);
  const grid = dimsOf(context, 1);
  if (!image || !grid) return [typed(dtypeOf(context, 0), unknownDims((image ?? grid)?.length ?? 4))];
  checkRank(image, "the input of GridSample", 3, Number.POSITIVE_INFINITY);
  checkRank(grid, "the grid of GridSample", image.length);
  return [typed(dtypeOf(context, 0), [image[0]!, image[1]!, ...grid.slice(1, -1)])];
};

const gridSampleAxes: AxisRule = (node) => {
  const grid = dimsOf(node, 1);
  if (!grid) return undefined;
  const positions = grid.slice(1, -1).map((_, i) => same(end(1, i + 1), end(0, i + 2)));
  return [same([end(0, 0), end(1, 0)], end(0, 0)), same(end(0, 1), end(0, 1)), ...positions];
};

/** Columns `[N, C × block, L]` become an image `[N, C, …]`. */
const inferCol2Im: InferRule = (context) => {
  const [batch, columns] = dimsOf(context, 0) ?? unknownDims(3);
  const block = context.symbols(2);
  const spatial = context.symbols(1)?.map(dimFrom);
  const channels = block ? quotientDims([columns ?? UNKNOWN_DIM], block) : UNKNOWN_DIM;
  return [typed(dtypeOf(context, 0), spatial && [batch ?? UNKNOWN_DIM, channels, ...spatial])];
};

const col2ImAxes: AxisRule = (node) => {
  const size = elementCount(node.symbols(2) ?? [UNKNOWN_DIM]);
  const channels = size === undefined ? [] : [same(end(0, 1, { inner: size }), end(0, 1))];
  return [same(end(0, 0), end(0, 0)), ...channels];
};

const imageChannels = new Map([
  ["RGB", 3],
  ["BGR", 3],
  ["Grayscale", 1],
]);

export const imageOps = {
  Resize: {
    since: [10, 11, 13, 18, 19],
    infer: inferResize,
    axes: resizeAxes,
    cost: costPerOutput,
    exactness: "rounding",
    weights: { settings: [1, 2, 3] },
  },
  Upsample: {
    since: [1, 7, 9, 10],
    infer: inferUpsample,
    axes: resizeAxes,
    cost: costPerOutput,
    exactness: "rounding",
    weights: { settings: [1] },
  },
  AffineGrid: {
    since: [20],
    infer: inferAffineGrid,
    axes: () => [same(end(0, 0), end(0, 0))],
    cost: costPerOutput,
    exactness: "rounding",
  },
  GridSample: {
    since: [16, 20, 22],
    infer: inferGridSample,
    axes: gridSampleAxes,
    cost: costPerOutput,
    exactness: "rounding",
  },
  Col2Im: { since: [18], infer: inferCol2Im, axes: col2ImAxes, cost: costPerInput, exactness: "rounding" },
  NonMaxSuppression: {
    since: [10, 11],
    infer: () => [tensorType("int64", [UNKNOWN_DIM, 3])],
    axes: noAxes,
    cost: costPerInput,
    exactness: "exact",
    weights: { settings: [2, 3, 4] },
  },
  ImageDecoder: {
    since: [20],
    infer: ({ node }) => [
      tensorType("uint8", [UNKNOWN_DIM, UNKNOWN_DIM, imageChannels.get(stringOf(node, "pixel_format", "RGB")) ?? 3]),
    ],
    axes: noAxes,
    cost: noCost,
    exactness: "exact",
  },
} satisfies Record<string, OpSpec>;

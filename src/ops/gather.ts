/** @file Operators that pick and place elements by index: Gather, Scatter, OneHot, NonZero, Compress, Range, Trilu. */
import { exactly } from "../checked.ts";
import { type DataType, type Dim, type Dims, intOf, numbersOf, sameDim, tensorType, UNKNOWN_DIM } from "../ir/index.ts";
import { end, mixed, noAxes, same, throughAxes } from "./axes.ts";
import { dtypeAttribute } from "./constant.ts";
import { costPerInput, costPerOutput, noCost } from "./cost.ts";
import { asTensor, axisIn, dimsOf, dtypeOf, integers, typed, unknownDims } from "./dims.ts";
import { sameType } from "./elementwise.ts";
import {
  type AxisLink,
  type AxisRule,
  type InferRule,
  type NodeFacts,
  type OpSpec,
  SYMBOL_LIMIT,
  type SymbolRule,
} from "./spec.ts";
import { settle } from "./symbols.ts";

const moves = { cost: noCost, exactness: "exact" } as const;

function axisOf(facts: NodeFacts, rank: number): number {
  return axisIn(intOf(facts.node, "axis", 0), rank);
}

const inferGather: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const indices = dimsOf(context, 1);
  if (!dims || !indices) return [typed(dtypeOf(context, 0))];
  const axis = axisOf(context, dims.length);
  return [typed(dtypeOf(context, 0), [...dims.slice(0, axis), ...indices, ...dims.slice(axis + 1)])];
};

const gatherSymbols: SymbolRule = (facts) => {
  const items = facts.symbols(0);
  const indices = integers(facts, 1);
  return items && indices?.map((index) => items[index < 0 ? index + items.length : index] ?? UNKNOWN_DIM);
};

/** Data's axes but the indexed one, and the axes of the indices in its place; constant indices pick positions of the indexed one. */
const gatherAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const indices = dimsOf(node, 1);
  if (!dims || !indices) return undefined;
  const axis = axisOf(node, dims.length);
  const data = dims.flatMap((_, i) => {
    if (i === axis) return [];
    return [same(end(0, i), end(0, i < axis ? i : i - 1 + indices.length))];
  });
  const places = pickedPlaces(node, dims[axis]!, indices);
  if (places) return [...data, ...pickedLinks(places, dims[axis] as number, axis)];
  return [...data, ...indices.map((_, i) => same(end(1, i), end(0, axis + i)))];
};

/** The positions that a constant vector of indices picks, where it picks none twice. */
export function pickedPlaces(node: NodeFacts, dim: Dim, indices: Dims): readonly number[] | undefined {
  const constant = indices.length === 1 ? node.constant(1) : undefined;
  if (!constant || typeof dim !== "number") return undefined;
  const places = Array.from(numbersOf(constant), (index) => (index < 0 ? index + dim : index));
  return new Set(places).size === places.length ? places : undefined;
}

function pickedLinks(places: readonly number[], dim: number, axis: number): AxisLink[] {
  const picked = new Set(places);
  const unread = Array.from({ length: dim }, (_, i) => i).filter((i) => !picked.has(i));
  const links = [same([end(0, axis, { places }), end(1, 0)], end(0, axis))];
  return unread.length > 0 ? [...links, same(end(0, axis, { places: unread }), [])] : links;
}

/** The output has the indices' dims. */
const inferGatherElements: InferRule = (context) => [typed(dtypeOf(context, 0), dimsOf(context, 1))];

/** Only axes that indices and data certainly share in full. */
const elementAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const indices = dimsOf(node, 1);
  if (!dims || !indices) return undefined;
  const axis = axisOf(node, dims.length);
  return indices.flatMap((dim, i): AxisLink[] => {
    if (i === axis) return [same(end(1, i), end(0, i))];
    return sameDim(dim, dims[i]!) ? [same([end(0, i), end(1, i)], end(0, i))] : [];
  });
};

const inferGatherND: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const indices = dimsOf(context, 1);
  const depth = indices?.at(-1);
  if (!dims || !indices || typeof depth !== "number") return [typed(dtypeOf(context, 0))];
  const batch = intOf(context.node, "batch_dims", 0);
  return [typed(dtypeOf(context, 0), [...indices.slice(0, -1), ...dims.slice(batch + depth)])];
};

const gatherNDAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const indices = dimsOf(node, 1);
  const depth = indices?.at(-1);
  if (!dims || !indices || typeof depth !== "number") return undefined;
  const batch = intOf(node.node, "batch_dims", 0);
  const first = indices.length - 1 - batch - depth;
  const places = indices.slice(0, -1).map((_, i) => same(i < batch ? [end(0, i), end(1, i)] : end(1, i), end(0, i)));
  const rest = dims.flatMap((_, i) => (i < batch + depth ? [] : [same(end(0, i), end(0, i + first))]));
  return [...places, ...rest];
};

/** Axes of the data that no index touches: all but `axis`, where indices and updates are as long. */
const scatterElementAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const indices = dimsOf(node, 1);
  if (!dims || !indices) return undefined;
  const axis = axisOf(node, dims.length);
  return dims.flatMap((dim, i) =>
    i !== axis && sameDim(dim, indices[i]!) ? [same([end(0, i), end(1, i), end(2, i)], end(0, i))] : [],
  );
};

const scatterNDAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const indices = dimsOf(node, 1);
  const depth = indices?.at(-1);
  if (!dims || !indices || typeof depth !== "number") return undefined;
  const first = indices.length - 1 - depth;
  return dims.flatMap((_, i) => (i < depth ? [] : [same([end(0, i), end(2, i + first)], end(0, i))]));
};

const tensorScatterAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const axis = dims && axisIn(intOf(node.node, "axis", -2), dims.length);
  return dims?.flatMap((_, i) =>
    i === axis ? [] : [same([end(0, i), end(1, i), ...(i === 0 ? [end(2, 0)] : [])], end(0, i))],
  );
};

const inferOneHot: InferRule = (context) => {
  const indices = dimsOf(context, 0);
  if (!indices) return [typed(dtypeOf(context, 2))];
  const axis = axisIn(intOf(context.node, "axis", -1), indices.length + 1);
  const depth = context.symbols(1)?.[0] ?? UNKNOWN_DIM;
  return [typed(dtypeOf(context, 2), [...indices.slice(0, axis), depth, ...indices.slice(axis)])];
};

const oneHotAxes: AxisRule = (node) => {
  const indices = dimsOf(node, 0);
  const axis = indices && axisIn(intOf(node.node, "axis", -1), indices.length + 1);
  return indices?.map((_, i) => same(end(0, i), end(0, i < axis! ? i : i + 1)));
};

const inferCompress: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const axis = intOf(context.node, "axis");
  if (axis === undefined) return [typed(dtypeOf(context, 0), unknownDims(1))];
  return [typed(dtypeOf(context, 0), dims?.with(axisIn(axis, dims.length), UNKNOWN_DIM))];
};

/** Axes other than the attribute's, when it is given. */
const besideAxis: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const given = intOf(node.node, "axis");
  if (!dims || given === undefined) return dims && [];
  const axis = axisIn(given, dims.length);
  return dims.flatMap((_, i) => (i === axis ? [] : [same(end(0, i), end(0, i))]));
};

/** Values, then the indices of first occurrence, the inverse and the counts. */
const inferUnique: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const axis = intOf(context.node, "axis");
  const values = axis === undefined ? unknownDims(1) : dims?.with(axisIn(axis, dims.length), UNKNOWN_DIM);
  const vector = tensorType("int64", unknownDims(1));
  return [typed(dtypeOf(context, 0), values), vector, vector, vector];
};

function rangeLength(facts: NodeFacts): Dim {
  const bounds = [0, 1, 2].map((i): Dim => facts.symbols(i)?.[0] ?? UNKNOWN_DIM);
  const [start, limit, delta] = exactly(bounds, 3);
  if (start === 0 && delta === 1 && typeof limit === "string") return limit;
  if (typeof start !== "number" || typeof limit !== "number" || typeof delta !== "number") return UNKNOWN_DIM;
  return delta === 0 ? UNKNOWN_DIM : Math.max(0, Math.ceil((limit - start) / delta));
}

const rangeSymbols: SymbolRule = (facts) => {
  const length = rangeLength(facts);
  const [start, delta] = [facts.symbols(0)?.[0], facts.symbols(2)?.[0]];
  if (typeof length !== "number" || length > SYMBOL_LIMIT || typeof start !== "number" || typeof delta !== "number")
    return undefined;
  return Array.from({ length }, (_, i) => settle(start + i * delta, dtypeOf(facts, 0)));
};

/** The last two axes hold the triangle; the ones before are independent. */
const triluAxes: AxisRule = throughAxes((_, rank) => [rank - 2, rank - 1]);

const scatterElements: OpSpec = {
  since: [11, 13, 16, 18],
  infer: sameType,
  axes: scatterElementAxes,
  cost: costPerInput,
  exactness: "rounding",
};

const nonZeroRank = (dims: Dims | undefined): Dim => (dims ? Math.max(1, dims.length) : UNKNOWN_DIM);
const eyeType = (facts: NodeFacts): DataType | undefined => dtypeAttribute(facts.node, "dtype") ?? dtypeOf(facts, 0);

export const gatherOps = {
  Gather: { since: [1, 11, 13], infer: inferGather, axes: gatherAxes, symbols: gatherSymbols, ...moves },
  GatherElements: { since: [11, 13], infer: inferGatherElements, axes: elementAxes, ...moves },
  GatherND: { since: [11, 12, 13], infer: inferGatherND, axes: gatherNDAxes, ...moves },
  Scatter: { ...scatterElements, since: [9, 11] },
  ScatterElements: scatterElements,
  ScatterND: {
    since: [11, 13, 16, 18],
    infer: sameType,
    axes: scatterNDAxes,
    cost: costPerInput,
    exactness: "rounding",
  },
  TensorScatter: { since: [24], infer: sameType, axes: tensorScatterAxes, ...moves },
  OneHot: { since: [9, 11, 28], infer: inferOneHot, axes: oneHotAxes, cost: costPerOutput, exactness: "exact" },
  NonZero: {
    since: [9, 13],
    infer: (context) => [tensorType("int64", [nonZeroRank(dimsOf(context, 0)), UNKNOWN_DIM])],
    axes: noAxes,
    cost: costPerInput,
    exactness: "exact",
  },
  Compress: { since: [9, 11, 28], infer: inferCompress, axes: besideAxis, ...moves },
  Unique: { since: [11, 28], infer: inferUnique, axes: noAxes, cost: costPerInput, exactness: "exact" },
  Trilu: { since: [14], infer: sameType, axes: triluAxes, ...moves },
  EyeLike: {
    since: [9, 22],
    infer: (context) => [typed(eyeType(context), dimsOf(context, 0))],
    axes: (node) => dimsOf(node, 0)?.map((_, i) => mixed(end(0, i), end(0, i))),
    ...moves,
  },
  Range: {
    since: [11, 27],
    infer: (context) => [typed(asTensor(context.input(0))?.dtype, [rangeLength(context)])],
    axes: noAxes,
    symbols: rangeSymbols,
    cost: costPerOutput,
    exactness: "exact",
  },
} satisfies Record<string, OpSpec>;

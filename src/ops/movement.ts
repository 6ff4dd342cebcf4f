/** @file Operators that give the elements another order or other dims: Reshape, Transpose, Squeeze, Expand, Tile, … */
import { exactly } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { type Dim, type Dims, elementCount, intOf, intsOf, sameDim, stringOf, UNKNOWN_DIM } from "../ir/index.ts";
import { end, same } from "./axes.ts";
import { noCost } from "./cost.ts";
import {
  axisIn,
  broadcastDims,
  checkRank,
  dimFrom,
  dimsFrom,
  dimsOf,
  dtypeOf,
  hasInput,
  integers,
  lengthOf,
  mapDim,
  outputDims,
  productDims,
  quotientDims,
  typed,
  unknownDims,
} from "./dims.ts";
import { sameType } from "./elementwise.ts";
import { reshapeLinks } from "./reshape-links.ts";
import { type AxisRule, type InferRule, type NodeFacts, type OpSpec, SYMBOL_LIMIT, type TypedNode } from "./spec.ts";
import { sameSymbols } from "./symbols.ts";

const moves = { cost: noCost, exactness: "exact" } as const;

const inferReshape: InferRule = (context) => {
  const dtype = dtypeOf(context, 0);
  const target = context.version < 5 ? intsOf(context.node, "shape") : context.symbols(1);
  if (target)
    return [typed(dtype, reshapedDims(dimsOf(context, 0), target, intOf(context.node, "allowzero", 0) === 1))];
  const rank = lengthOf(context, 1);
  return [typed(dtype, rank === undefined ? undefined : unknownDims(rank))];
};

/** Dims of a reshape to `target`, where 0 copies (unless `allowZero`) and -1 takes what is left. */
export function reshapedDims(dims: Dims | undefined, target: Dims, allowZero = false): Dims {
  if (target.filter((item) => item === -1).length > 1) {
    throw new ShapeError("a reshape has more than one inferred dim", { got: `[${target.join(", ")}]` });
  }
  const result = target.map((item, i): Dim => {
    if (item === 0 && !allowZero) return dims?.[i] ?? UNKNOWN_DIM;
    return item === -1 ? UNKNOWN_DIM : dimFrom(item);
  });
  if (!dims) return result;
  const open = result.indexOf(UNKNOWN_DIM);
  if (open === -1) return checkedCount(dims, result);
  const others = result.filter((_, i) => i !== open);
  if (!others.includes(UNKNOWN_DIM)) result[open] = quotientDims(dims, others);
  return result;
}

function checkedCount(from: Dims, to: Dims): Dims {
  const before = elementCount(from);
  const after = elementCount(to);
  if (before === undefined || after === undefined || before === after) return to;
  throw new ShapeError("a reshape changes the number of elements", { expected: `${before}`, got: `${after}` });
}

const reshapeAxes: AxisRule = (node) => {
  const from = dimsOf(node, 0);
  const to = outputDims(node);
  return from && to && reshapeLinks(from, to);
};

const inferFlatten: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0), unknownDims(2))];
  const given = intOf(context.node, "axis", 1);
  const axis = given === dims.length ? given : axisIn(given, dims.length);
  return [typed(dtypeOf(context, 0), [productDims(dims.slice(0, axis)), productDims(dims.slice(axis))])];
};

/** Axes given by an input from opset 13 on, by an attribute before; `"unknown"` when they are not constant. */
function listedAxes(facts: NodeFacts, input: number): readonly number[] | undefined | "unknown" {
  const attribute = intsOf(facts.node, "axes");
  if (attribute) return attribute;
  return hasInput(facts, input) ? (integers(facts, input) ?? "unknown") : undefined;
}

function squeezedAxes(facts: NodeFacts, dims: Dims): readonly number[] | undefined {
  const axes = listedAxes(facts, 1);
  if (axes === "unknown") return undefined;
  if (axes) return axes.map((axis) => axisIn(axis, dims.length));
  return dims.every((dim) => typeof dim === "number") ? dims.flatMap((dim, i) => (dim === 1 ? [i] : [])) : undefined;
}

const inferSqueeze: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const axes = dims && squeezedAxes(context, dims);
  if (!axes) return [typed(dtypeOf(context, 0))];
  for (const axis of axes) {
    const dim = dims[axis]!;
    if (typeof dim === "number" && dim !== 1) {
      throw new ShapeError("a squeezed axis is longer than one", { expected: "1", got: `${dim}` });
    }
  }
  return [
    typed(
      dtypeOf(context, 0),
      dims.filter((_, i) => !axes.includes(i)),
    ),
  ];
};

/** Links of the axes that stay, in order, when `gone` are left out of input 0. */
export function keptAxes(rank: number, gone: readonly number[]) {
  return Array.from({ length: rank }, (_, axis) => axis)
    .filter((axis) => !gone.includes(axis))
    .map((axis, place) => same(end(0, axis), end(0, place)));
}

const squeezeAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const axes = dims && squeezedAxes(node, dims);
  return axes && keptAxes(dims.length, axes);
};

function unsqueezedAxes(facts: NodeFacts, dims: Dims): readonly number[] | undefined {
  const axes = listedAxes(facts, 1);
  if (!axes || axes === "unknown") return undefined;
  const rank = dims.length + axes.length;
  const places = axes.map((axis) => axisIn(axis, rank));
  if (new Set(places).size === places.length) return places;
  throw new ShapeError("an axis is inserted twice", { got: `[${axes.join(", ")}]` });
}

const inferUnsqueeze: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const axes = dims && unsqueezedAxes(context, dims);
  if (!axes) {
    const added = intsOf(context.node, "axes")?.length ?? lengthOf(context, 1);
    return [typed(dtypeOf(context, 0), dims && added !== undefined ? unknownDims(dims.length + added) : undefined)];
  }
  const rest = [...dims];
  const all = Array.from({ length: dims.length + axes.length }, (_, i): Dim => (axes.includes(i) ? 1 : rest.shift()!));
  return [typed(dtypeOf(context, 0), all)];
};

const unsqueezeAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const axes = dims && unsqueezedAxes(node, dims);
  if (!axes) return undefined;
  return keptAxes(dims.length + axes.length, axes).map(({ inputs, outputs }) =>
    same(end(0, outputs[0]!.axis), end(0, inputs[0]!.axis)),
  );
};

function permutation(facts: NodeFacts, rank: number): readonly number[] {
  const perm = intsOf(facts.node, "perm") ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (perm.length === rank && new Set(perm).size === rank && perm.every((axis) => axis >= 0 && axis < rank))
    return perm;
  throw new ShapeError("perm is no permutation of the axes", {
    expected: `0 to ${rank - 1}`,
    got: `[${perm.join(", ")}]`,
  });
}

const inferTranspose: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (dims)
    return [
      typed(
        dtypeOf(context, 0),
        permutation(context, dims.length).map((axis) => dims[axis]!),
      ),
    ];
  const rank = intsOf(context.node, "perm")?.length;
  return [typed(dtypeOf(context, 0), rank === undefined ? undefined : unknownDims(rank))];
};

const transposeAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  return dims && permutation(node, dims.length).map((from, to) => same(end(0, from), end(0, to)));
};

/** A vector as it is, a matrix column by column. */
function transposedSymbols(facts: NodeFacts): readonly Dim[] | undefined {
  const items = facts.elements(0);
  const dims = dimsOf(facts, 0);
  if (!items || !dims || dims.length < 2 || permutation(facts, dims.length)[0] === 0) return items;
  const [rows, columns] = dims;
  if (typeof rows !== "number" || typeof columns !== "number") return undefined;
  return items.map((_, i) => items[(i % rows) * columns + Math.floor(i / rows)]!);
}

const inferExpand: InferRule = (context) => {
  const target = dimsFrom(context, 1);
  return [typed(dtypeOf(context, 0), broadcastDims([dimsOf(context, 0), target]))];
};

/** Only axes that certainly keep their length are linked. */
const expandAxes: AxisRule = (node) => {
  const from = dimsOf(node, 0);
  const to = outputDims(node);
  if (!from || !to) return undefined;
  const first = to.length - from.length;
  return from.flatMap((dim, axis) =>
    dim !== 1 && sameDim(dim, to[axis + first]!) ? [same(end(0, axis), end(0, axis + first))] : [],
  );
};

const inferTile: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims || context.version < 6) return [typed(dtypeOf(context, 0), dims && unknownDims(dims.length))];
  const repeats = context.symbols(1);
  return [
    typed(
      dtypeOf(context, 0),
      dims.map((dim, i) => productDims([dim, dimFrom(repeats?.[i])])),
    ),
  ];
};

const tileAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const repeats = node.symbols(1);
  return dims?.flatMap((dim, axis) => {
    const times = repeats?.[axis];
    if (times === 1) return [same(end(0, axis), end(0, axis))];
    return typeof times === "number" && typeof dim === "number"
      ? [same(end(0, axis), end(0, axis, { outer: times }))]
      : [];
  });
};

function blockSize(facts: NodeFacts): number {
  const block = intOf(facts.node, "blocksize", 0);
  if (block > 0) return block;
  throw new ShapeError("a block size must be positive", { got: `${block}` });
}

function divided(dim: Dim, by: number): Dim {
  return by === 1 ? dim : mapDim(dim, (length) => Math.floor(length / by));
}

const inferDepthToSpace: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0), unknownDims(4))];
  checkRank(dims, "the input", 4);
  const block = blockSize(context);
  const [batch, channels, height, width] = exactly(dims, 4);
  const spread = (dim: Dim): Dim => productDims([dim, block]);
  return [typed(dtypeOf(context, 0), [batch, divided(channels, block * block), spread(height), spread(width)])];
};

const inferSpaceToDepth: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0), unknownDims(4))];
  checkRank(dims, "the input", 4);
  const block = blockSize(context);
  const [batch, channels, height, width] = exactly(dims, 4);
  const folded = productDims([channels, block * block]);
  return [typed(dtypeOf(context, 0), [batch, folded, divided(height, block), divided(width, block)])];
};

/** The channels that stay channels: outermost in the order DCR is `block² × C`, in CRD `C × block²`. */
const depthToSpaceAxes: AxisRule = (node) => {
  const area = blockSize(node) ** 2;
  const columnRow = stringOf(node.node, "mode", "DCR") === "CRD";
  const channels = end(0, 1, columnRow ? { inner: area } : { outer: area });
  return [same(end(0, 0), end(0, 0)), same(channels, end(0, 1))];
};

const spaceToDepthAxes: AxisRule = (node) => [
  same(end(0, 0), end(0, 0)),
  same(end(0, 1), end(0, 1, { outer: blockSize(node) ** 2 })),
];

/** Every axis but the two that are reversed together. */
const reverseAxes: AxisRule = (node: TypedNode) => {
  const time = intOf(node.node, "time_axis", 0);
  const batch = intOf(node.node, "batch_axis", 1);
  return dimsOf(node, 0)?.flatMap((_, axis) => {
    if (axis === time) return [];
    return [same(axis === batch ? [end(0, axis), end(1, 0)] : end(0, axis), end(0, axis))];
  });
};

export const movementOps = {
  Reshape: {
    since: [1, 5, 13, 14, 19, 21, 23, 24, 25],
    infer: inferReshape,
    axes: reshapeAxes,
    symbols: sameSymbols,
    ...moves,
  },
  Flatten: { since: [1, 9, 11, 13, 21, 23, 24, 25], infer: inferFlatten, axes: reshapeAxes, ...moves },
  Squeeze: {
    since: [1, 11, 13, 21, 23, 24, 25],
    infer: inferSqueeze,
    axes: squeezeAxes,
    symbols: sameSymbols,
    ...moves,
  },
  Unsqueeze: {
    since: [1, 11, 13, 21, 23, 24, 25],
    infer: inferUnsqueeze,
    axes: unsqueezeAxes,
    symbols: sameSymbols,
    ...moves,
  },
  Transpose: {
    since: [1, 13, 21, 23, 24, 25],
    infer: inferTranspose,
    axes: transposeAxes,
    symbols: transposedSymbols,
    ...moves,
  },
  Expand: { since: [8, 13], infer: inferExpand, axes: expandAxes, symbols: expandSymbols, ...moves },
  Tile: { since: [1, 6, 13], infer: inferTile, axes: tileAxes, ...moves },
  DepthToSpace: { since: [1, 11, 13, 28], infer: inferDepthToSpace, axes: depthToSpaceAxes, ...moves },
  SpaceToDepth: { since: [1, 13, 28], infer: inferSpaceToDepth, axes: spaceToDepthAxes, ...moves },
  ReverseSequence: { since: [10, 28], infer: sameType, axes: reverseAxes, ...moves },
} satisfies Record<string, OpSpec>;

/** A vector expanded to a vector. */
function expandSymbols(facts: NodeFacts, output: number): readonly Dim[] | undefined {
  const items = facts.symbols(0);
  const target = integers(facts, 1);
  if (output !== 0 || !items || target?.length !== 1) return undefined;
  if (items.length === target[0] || target[0] === 1) return items;
  return items.length === 1 ? Array<Dim>(Math.min(Math.max(0, target[0]!), SYMBOL_LIMIT)).fill(items[0]!) : undefined;
}

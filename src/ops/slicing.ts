/** @file Operators that put tensors together and take parts of them: Concat, Split, Slice, Pad, Crop. */
import { exactly, nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import {
  boundsOf,
  type Dim,
  type Dims,
  elementCount,
  intOf,
  intsOf,
  sameDim,
  stringOf,
  UNKNOWN_DIM,
} from "../ir/index.ts";
import { end, same } from "./axes.ts";
import { noCost } from "./cost.ts";
import {
  axisIn,
  dimFrom,
  dimsOf,
  dtypeOf,
  equalDim,
  hasInput,
  integers,
  lengthOf,
  mapDim,
  outputDims,
  sumDims,
  typed,
  unknownDims,
} from "./dims.ts";
import {
  type AxisEnd,
  type AxisLink,
  type AxisRule,
  type InferRule,
  type NodeFacts,
  type OpSpec,
  SYMBOL_LIMIT,
  type SymbolRule,
} from "./spec.ts";

const moves = { cost: noCost, exactness: "exact" } as const;

const inferConcat: InferRule = (context) => {
  const ports = context.node.inputs.map((_, i) => i);
  const dtype = ports.map((i) => dtypeOf(context, i)).find((item) => item !== undefined);
  const lists = ports.map((i) => dimsOf(context, i));
  const known = lists.find((dims) => dims !== undefined);
  if (!known) return [typed(dtype)];
  const axis = axisIn(intOf(context.node, "axis", 1), known.length);
  const dims = known.map((_, i) => {
    const column = lists.map((list) => columnDim(list, known, i));
    return i === axis ? sumDims(column) : column.reduce((a, b) => equalDim(a, b, "concatenated dims differ"));
  });
  return [typed(dtype, dims)];
};

function columnDim(list: Dims | undefined, model: Dims, axis: number): Dim {
  if (!list) return UNKNOWN_DIM;
  if (list.length === model.length) return list[axis]!;
  throw new ShapeError("concatenated ranks differ", { expected: `${model.length}`, got: `${list.length}` });
}

const concatSymbols: SymbolRule = (facts) => {
  const parts: Dim[] = [];
  for (const i of facts.node.inputs.keys()) {
    const length = lengthOf(facts, i);
    const items =
      facts.symbols(i) ?? (length === undefined ? undefined : Array<Dim>(Math.min(length, SYMBOL_LIMIT)).fill(""));
    if (!items) return undefined;
    for (const item of items) parts.push(item);
  }
  return parts;
};

/** The parts of a joined axis, each with the place where it starts; as far as the lengths are known. */
function partLinks(lengths: Dims, axis: number, joined: "input" | "output"): AxisLink[] {
  const links: AxisLink[] = [];
  let offset = 0;
  for (const [port, length] of lengths.entries()) {
    const whole = end(0, axis, { offset });
    links.push(joined === "output" ? same(end(port, axis), whole) : same(whole, end(port, axis)));
    if (typeof length !== "number") break;
    offset += length;
  }
  return links;
}

const concatAxes: AxisRule = (node) => {
  const output = outputDims(node);
  if (!output) return undefined;
  const axis = axisIn(intOf(node.node, "axis", 1), output.length);
  const ports = [...node.node.inputs.keys()];
  const lengths = ports.map((i) => dimsOf(node, i)?.[axis] ?? UNKNOWN_DIM);
  const links = output.flatMap((_, i) =>
    i === axis
      ? []
      : [
          same(
            ports.map((port) => end(port, i)),
            end(0, i),
          ),
        ],
  );
  return [...links, ...partLinks(lengths, axis, "output")];
};

/** Lengths of the parts: given, or equal ones with the last the shortest. */
function splitLengths(facts: NodeFacts, dim: Dim): Dims {
  const count = facts.node.outputs.length;
  const given = intsOf(facts.node, "split") ?? (facts.version >= 13 && hasInput(facts, 1) ? facts.symbols(1) : []);
  if (!given) return unknownDims(count);
  if (given.length > 0) return checkedParts(given, dim);
  const parts = intOf(facts.node, "num_outputs", count);
  const size = mapDim(dim, (length) => Math.ceil(length / parts));
  const last = mapDim(dim, (length) => Math.max(0, length - (parts - 1) * Math.ceil(length / parts)));
  return Array.from({ length: count }, (_, i) => (i === parts - 1 ? last : size));
}

function checkedParts(given: Dims, dim: Dim): Dims {
  const lengths = given.map(dimFrom);
  const total = sumDims(lengths);
  if (typeof dim === "number" && typeof total === "number" && total !== dim) {
    throw new ShapeError("the parts of a split do not add up", { expected: `${dim}`, got: `${total}` });
  }
  return lengths;
}

const inferSplit: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const dtype = dtypeOf(context, 0);
  if (!dims) return context.node.outputs.map(() => typed(dtype));
  const axis = axisIn(intOf(context.node, "axis", 0), dims.length);
  const lengths = splitLengths(context, nth(dims, axis));
  return context.node.outputs.map((_, part) => typed(dtype, dims.with(axis, lengths[part] ?? UNKNOWN_DIM)));
};

const splitSymbols: SymbolRule = (facts, output) => {
  const items = facts.symbols(0);
  if (!items) return undefined;
  const lengths = splitLengths(facts, items.length);
  const start = elementCount([sumDims(lengths.slice(0, output))]);
  const length = lengths[output];
  return start === undefined || typeof length !== "number" ? undefined : items.slice(start, start + length);
};

const splitAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  if (!dims) return undefined;
  const axis = axisIn(intOf(node.node, "axis", 0), dims.length);
  const outputs = (i: number): AxisEnd[] => node.node.outputs.flatMap((value, port) => (value ? [end(port, i)] : []));
  const links = dims.flatMap((_, i) => (i === axis ? [] : [same(end(0, i), outputs(i))]));
  return [...links, ...partLinks(splitLengths(node, nth(dims, axis)), axis, "input")];
};

export interface Range {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
  readonly step: Dim;
}

/** What is cut on each axis; `undefined` when not even the axes are known. */
export function ranges(facts: NodeFacts, rank: number): readonly Range[] | undefined {
  const legacy = facts.version < 10;
  const starts = legacy ? boundsOf(facts.node, "starts") : facts.symbols(1);
  const ends = legacy ? boundsOf(facts.node, "ends") : facts.symbols(2);
  const count = starts?.length ?? ends?.length ?? lengthOf(facts, 1) ?? lengthOf(facts, 2);
  if (count === undefined) return undefined;
  if (count > rank) {
    throw new ShapeError("a slice cuts more axes than there are", { expected: `at most ${rank}`, got: `${count}` });
  }
  const givenAxes = legacy
    ? intsOf(facts.node, "axes")
    : hasInput(facts, 3)
      ? integers(facts, 3)
      : Array.from({ length: count }, (_, i) => i);
  const axes = givenAxes ?? (legacy ? Array.from({ length: count }, (_, i) => i) : undefined);
  const steps = legacy || !hasInput(facts, 4) ? Array<Dim>(count).fill(1) : facts.symbols(4);
  return axes?.map((axis, i) => ({
    axis: axisIn(axis, rank),
    start: starts?.[i] ?? UNKNOWN_DIM,
    end: ends?.[i] ?? UNKNOWN_DIM,
    step: steps?.[i] ?? UNKNOWN_DIM,
  }));
}

const FAR = 2 ** 31 - 1;

/** Length of `dim[start:end:step]`, with Python's rules for negative and far bounds. */
export function sliceLength(dim: Dim, start: Dim, stop: Dim, step: Dim): Dim {
  if (start === 0 && step === 1 && ((typeof stop === "number" && stop >= FAR) || sameDim(stop, dim))) return dim;
  if (typeof start !== "number" || typeof stop !== "number" || typeof step !== "number") return UNKNOWN_DIM;
  if (typeof dim !== "number") return symbolicLength(start, stop, step);
  const [from, to] = bounds(dim, start, stop, step);
  return Math.max(0, Math.ceil((to - from) / step));
}

/** Known without the dim: nothing is cut out, or one element from the end. */
function symbolicLength(start: number, stop: number, step: number): Dim {
  if (start === -1 && stop >= FAR && step > 0) return 1;
  return start === stop && step > 0 ? 0 : UNKNOWN_DIM;
}

function bounds(length: number, start: number, stop: number, step: number): [number, number] {
  if (step === 0) throw new ShapeError("a slice has step 0", { expected: "a step other than 0", got: "0" });
  const wrap = (bound: number): number => (bound < 0 ? bound + length : bound);
  const clamp = (bound: number, low: number, high: number): number => Math.min(high, Math.max(low, bound));
  if (step > 0) return [clamp(wrap(start), 0, length), clamp(wrap(stop), 0, length)];
  return [clamp(wrap(start), 0, length - 1), clamp(wrap(stop), -1, length - 1)];
}

const inferSlice: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0))];
  const cuts = ranges(context, dims.length);
  if (!cuts) return [typed(dtypeOf(context, 0), unknownDims(dims.length))];
  const result = [...dims];
  for (const { axis, start, end: stop, step } of cuts) result[axis] = sliceLength(dims[axis]!, start, stop, step);
  return [typed(dtypeOf(context, 0), result)];
};

/** A vector, or whole rows of a matrix. */
const sliceSymbols: SymbolRule = (facts) => {
  const items = facts.elements(0);
  const dims = dimsOf(facts, 0);
  const cuts = items && dims && ranges(facts, dims.length);
  const [cut] = cuts ?? [];
  const [rows, width = 1] = dims ?? [];
  if (!items || !cut || cuts?.length !== 1 || cut.axis !== 0) return undefined;
  if (typeof rows !== "number" || typeof width !== "number") return undefined;
  const picked = pickedPlaces(rows, cut);
  return picked?.flatMap((row) => items.slice(row * width, (row + 1) * width));
};

function pickedPlaces(length: number, { start, end: stop, step }: Range): number[] | undefined {
  if (typeof start !== "number" || typeof stop !== "number" || typeof step !== "number") return undefined;
  const [from] = bounds(length, start, stop, step);
  return Array.from({ length: Number(sliceLength(length, start, stop, step)) }, (_, i) => from + i * step);
}

/** Axes that are not cut go through; a cut with step 1 is a part of the input's axis. */
const sliceAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const cuts = dims && ranges(node, dims.length);
  return (
    cuts &&
    dims.flatMap((dim, axis) =>
      sliceLink(
        dim,
        axis,
        cuts.find((cut) => cut.axis === axis),
      ),
    )
  );
};

function sliceLink(dim: Dim, axis: number, cut: Range | undefined): AxisLink[] {
  if (!cut || sameDim(sliceLength(dim, cut.start, cut.end, cut.step), dim))
    return cut?.step === -1 ? [] : [same(end(0, axis), end(0, axis))];
  const taken = slicedPart(dim, cut);
  if (!taken || typeof dim !== "number") return [];
  const [first, stop] = taken;
  const left = (offset: number, length: number) => (length > 0 ? [same(end(0, axis, { offset, length }), [])] : []);
  return [
    ...left(0, first),
    same(end(0, axis, { offset: first }), end(0, axis)),
    ...left(Math.max(first, stop), dim - Math.max(first, stop)),
  ];
}

/** First and last (exclusive) position of a cut with step 1. */
export function slicedPart(dim: Dim, { start, end: stop, step }: Range): readonly [number, number] | undefined {
  if (step !== 1 || typeof start !== "number" || typeof stop !== "number" || typeof dim !== "number") return undefined;
  return bounds(dim, start, stop, 1);
}

/** Padding before and after each axis. */
export function paddings(facts: NodeFacts, rank: number): readonly (readonly [Dim, Dim])[] {
  const pads = padList(facts);
  const axes = padAxes(facts, rank);
  const result = Array.from({ length: rank }, (): [Dim, Dim] => (axes ? [0, 0] : [UNKNOWN_DIM, UNKNOWN_DIM]));
  if (pads && axes && pads.length !== 2 * axes.length) {
    const expected = `${2 * axes.length} numbers`;
    throw new ShapeError("pads do not fit their axes", { expected, got: `${pads.length}` });
  }
  axes?.forEach((axis, i) => {
    result[axis] = [pads?.[i] ?? UNKNOWN_DIM, pads?.[i + axes.length] ?? UNKNOWN_DIM];
  });
  return result;
}

function padList(facts: NodeFacts): Dims | undefined {
  if (facts.version < 2) return intsOf(facts.node, "paddings");
  return facts.version < 11 ? intsOf(facts.node, "pads") : facts.symbols(1);
}

function padAxes(facts: NodeFacts, rank: number): readonly number[] | undefined {
  if (facts.version < 18 || !hasInput(facts, 3)) return Array.from({ length: rank }, (_, i) => i);
  return integers(facts, 3)?.map((axis) => axisIn(axis, rank));
}

const inferPad: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0))];
  const padded = paddings(context, dims.length);
  return [
    typed(
      dtypeOf(context, 0),
      dims.map((dim, axis) => paddedDim(dim, padded[axis]!)),
    ),
  ];
};

function paddedDim(dim: Dim, [before, after]: readonly [Dim, Dim]): Dim {
  if (before === 0 && after === 0) return dim;
  if (typeof dim !== "number" || typeof before !== "number" || typeof after !== "number") return UNKNOWN_DIM;
  const length = dim + before + after;
  if (length >= 0) return length;
  throw new ShapeError("padding takes away more than there is", {
    expected: `at most ${dim}`,
    got: `${-before - after}`,
  });
}

/** What is in front, behind and between them; only constants can be cut out of the padding. */
const padAxesRule: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const isConstant = stringOf(node.node, "mode", "constant") === "constant";
  return (
    dims && paddings(node, dims.length).flatMap((padding, axis) => padLinks(dims[axis]!, padding, axis, isConstant))
  );
};

function padLinks(dim: Dim, [before, after]: readonly [Dim, Dim], axis: number, isConstant: boolean): AxisLink[] {
  if (before === 0 && after === 0) return [same(end(0, axis), end(0, axis))];
  if (!isConstant || typeof dim !== "number" || typeof before !== "number" || typeof after !== "number") return [];
  const length = dim + Math.min(0, before) + Math.min(0, after);
  const [from, to] = [Math.max(0, -before), Math.max(0, before)];
  const part = (offset: number, size: number) => end(0, axis, { offset, length: size });
  const links = [same(part(from, length), part(to, length))];
  if (before > 0) links.push(same([], part(0, before)));
  if (before < 0) links.push(same(part(0, -before), []));
  if (after > 0) links.push(same([], part(to + length, after)));
  if (after < 0) links.push(same(part(from + length, -after), []));
  return links;
}

/** Legacy `Crop`: `border` is left, top, right, bottom; `scale` the height and width to keep. */
const inferCrop: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const [left = 0, top = 0, right = 0, bottom = 0] = intsOf(context.node, "border") ?? [];
  const scale = intsOf(context.node, "scale");
  if (dims?.length !== 4) return [typed(dtypeOf(context, 0), dims)];
  const [batch, channels, rows, columns] = exactly(dims, 4);
  const height = scale?.[0] ?? mapDim(rows, (length) => length - top - bottom);
  const width = scale?.[1] ?? mapDim(columns, (length) => length - left - right);
  return [typed(dtypeOf(context, 0), [batch, channels, height, width])];
};

const inferCenterCropPad: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  if (!dims) return [typed(dtypeOf(context, 0))];
  const axes = intsOf(context.node, "axes")?.map((axis) => axisIn(axis, dims.length)) ?? [...dims.keys()];
  const target = context.symbols(1);
  const result = dims.map((dim, axis) => (axes.includes(axis) ? dimFrom(target?.[axes.indexOf(axis)]) : dim));
  return [typed(dtypeOf(context, 0), result)];
};

const centerCropAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  const axes = dims && intsOf(node.node, "axes")?.map((axis) => axisIn(axis, dims.length));
  return dims?.flatMap((_, i) => (axes && !axes.includes(i) ? [same(end(0, i), end(0, i))] : []));
};

export const slicingOps = {
  Concat: { since: [1, 4, 11, 13], infer: inferConcat, axes: concatAxes, symbols: concatSymbols, ...moves },
  Split: { since: [1, 2, 11, 13, 18], infer: inferSplit, axes: splitAxes, symbols: splitSymbols, ...moves },
  Slice: { since: [1, 10, 11, 13], infer: inferSlice, axes: sliceAxes, symbols: sliceSymbols, ...moves },
  Pad: {
    since: [1, 2, 11, 13, 18, 19, 21, 23, 24, 25],
    infer: inferPad,
    axes: padAxesRule,
    weights: { settings: [2] },
    ...moves,
  },
  Crop: {
    since: [1],
    infer: inferCrop,
    axes: () => [same(end(0, 0), end(0, 0)), same(end(0, 1), end(0, 1))],
    ...moves,
  },
  CenterCropPad: { since: [18], infer: inferCenterCropPad, axes: centerCropAxes, ...moves },
} satisfies Record<string, OpSpec>;

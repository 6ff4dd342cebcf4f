/** @file Operators that work along axes: Reduce*, ArgMax, TopK, CumSum, Softmax and its family. */
import { type Dim, type Dims, intOf, intsOf, maxOf, minOf, UNKNOWN_DIM } from "../ir/index.ts";
import { end, mixed, reduced, same, throughAxes } from "./axes.ts";
import { costPerInput } from "./cost.ts";
import { axisIn, dimFrom, dimsOf, dtypeOf, hasInput, integers, typed, unknownDims } from "./dims.ts";
import { sameType } from "./elementwise.ts";
import type { AxisEnd, AxisLink, AxisRule, Exactness, InferRule, NodeFacts, OpSpec, SymbolRule } from "./spec.ts";
import { settle } from "./symbols.ts";

/** The reduced axes; `undefined` when they are not known before the run. `inputSince`: when they became an input. */
function reducedAxes(facts: NodeFacts, rank: number): readonly number[] | undefined {
  const attribute = intsOf(facts.node, "axes");
  const given = attribute ?? (hasInput(facts, 1) ? integers(facts, 1) : []);
  if (!given) return undefined;
  if (given.length > 0) return given.map((axis) => axisIn(axis, rank));
  return intOf(facts.node, "noop_with_empty_axes", 0) === 1 ? [] : Array.from({ length: rank }, (_, i) => i);
}

function keepsDims(facts: NodeFacts): boolean {
  return intOf(facts.node, "keepdims", 1) === 1;
}

function dimsWithout(dims: Dims, axes: readonly number[], keep: boolean): Dims {
  if (keep) return dims.map((dim, i): Dim => (axes.includes(i) ? 1 : dim));
  return dims.filter((_, i) => !axes.includes(i));
}

const inferReduce: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const axes = dims && reducedAxes(context, dims.length);
  if (axes) return [typed(dtypeOf(context, 0), dimsWithout(dims, axes, keepsDims(context)))];
  if (keepsDims(context)) return [typed(dtypeOf(context, 0), dims && unknownDims(dims.length))];
  return [typed(dtypeOf(context, 0), reducesAll(context) ? [] : undefined)];
};

/** Whether every axis is reduced, however many there are. */
function reducesAll(facts: NodeFacts): boolean {
  const given = intsOf(facts.node, "axes") ?? (hasInput(facts, 1) ? integers(facts, 1) : []);
  return given?.length === 0 && intOf(facts.node, "noop_with_empty_axes", 0) === 0;
}

/** Kept axes go through, in their new places; `gone` says what becomes of the others. */
function reduceLinks(
  axesOf: (facts: NodeFacts, rank: number) => readonly number[] | undefined,
  gone: (axis: AxisEnd) => AxisLink,
): AxisRule {
  return (node) => {
    const dims = dimsOf(node, 0);
    const axes = dims && axesOf(node, dims.length);
    if (!axes) return undefined;
    let place = 0;
    return dims.map((_, axis) => {
      if (axes.includes(axis)) {
        if (keepsDims(node)) place++;
        return gone(end(0, axis));
      }
      return same(end(0, axis), end(0, place++));
    });
  };
}

/** The whole vector reduced to one element. */
function foldSymbols(fold: (values: readonly number[]) => number): SymbolRule {
  return (facts) => {
    const items = integers(facts, 0);
    const dims = dimsOf(facts, 0);
    const whole = dims?.length === 1 && reducedAxes(facts, 1)?.length === 1;
    return items && whole ? [settle(fold(items), dtypeOf(facts, 0))] : undefined;
  };
}

/** Means, extremes and products: zeros count too. */
function reduction(since: readonly number[], exactness: Exactness = "rounding", symbols?: SymbolRule): OpSpec {
  return reducing(reduceLinks(reducedAxes, endsThere), since, exactness, symbols);
}

/** Sums over what is added up: zeros change nothing. */
function summation(since: readonly number[], symbols?: SymbolRule): OpSpec {
  return reducing(reduceLinks(reducedAxes, reduced), since, "rounding", symbols);
}

function reducing(axes: AxisRule, since: readonly number[], exactness: Exactness, symbols?: SymbolRule): OpSpec {
  const entry: OpSpec = { since, infer: inferReduce, axes, cost: costPerInput, exactness };
  return symbols ? { ...entry, symbols } : entry;
}

const endsThere = (axis: AxisEnd): AxisLink => mixed(axis, []);

function argAxis(facts: NodeFacts, rank: number): readonly number[] {
  return [axisIn(intOf(facts.node, "axis", 0), rank)];
}

const arg = (): OpSpec => ({
  since: [1, 11, 12, 13],
  infer: (context) => {
    const dims = dimsOf(context, 0);
    return [typed("int64", dims && dimsWithout(dims, argAxis(context, dims.length), keepsDims(context)))];
  },
  axes: reduceLinks(argAxis, endsThere),
  cost: costPerInput,
  exactness: "exact",
});

function topKAxis(facts: NodeFacts, rank: number): number {
  return axisIn(intOf(facts.node, "axis", -1), rank);
}

const inferTopK: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const count = intOf(context.node, "k") ?? context.symbols(1)?.[0];
  const result = dims?.with(topKAxis(context, dims.length), dimFrom(count));
  return [typed(dtypeOf(context, 0), result), typed("int64", result)];
};

const topKAxes: AxisRule = (node) => {
  const dims = dimsOf(node, 0);
  return dims?.flatMap((_, i) =>
    i === topKAxis(node, dims.length)
      ? []
      : [same(end(0, i), [end(0, i), ...(node.node.outputs[1] ? [end(1, i)] : [])])],
  );
};

/** Until opset 12 all axes from `axis` (1 by default) on were one. */
function softmaxAxes(facts: NodeFacts, rank: number): readonly number[] {
  if (facts.version >= 13) return [axisIn(intOf(facts.node, "axis", -1), rank)];
  const given = intOf(facts.node, "axis", 1);
  const first = given === rank ? rank : axisIn(given, rank);
  return Array.from({ length: rank - first }, (_, i) => first + i);
}

const softmax = (exactness: Exactness = "rounding"): OpSpec => ({
  since: [1, 11, 13],
  infer: sameType,
  axes: throughAxes(softmaxAxes),
  cost: costPerInput,
  exactness,
});

/** The axis of a cumulative operator is an input; unknown, it could be any. */
const cumulative = (since: readonly number[], exactness: Exactness): OpSpec => ({
  since,
  infer: sameType,
  axes: (node) => {
    const dims = dimsOf(node, 0);
    const axis = integers(node, 1)?.[0];
    const along = dims && axis !== undefined ? axisIn(axis, dims.length) : undefined;
    return dims?.map((_, i) => (along === undefined || i === along ? mixed : same)(end(0, i), end(0, i)));
  },
  cost: costPerInput,
  exactness,
});

const product = (values: readonly number[]): number => values.reduce((a, b) => a * b, 1);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** A product over dims with one name among ones is that name. */
const productSymbols: SymbolRule = (facts, output) => {
  const items = facts.symbols(0)?.filter((item) => item !== 1);
  if (
    items?.length === 1 &&
    items[0] !== UNKNOWN_DIM &&
    dimsOf(facts, 0)?.length === 1 &&
    reducedAxes(facts, 1)?.length === 1
  )
    return items;
  return foldSymbols(product)(facts, output);
};

export const reduceOps = {
  ReduceL1: summation([1, 11, 13, 18]),
  ReduceL2: summation([1, 11, 13, 18]),
  ReduceLogSum: summation([1, 11, 13, 18, 28]),
  ReduceLogSumExp: reduction([1, 11, 13, 18, 28]),
  ReduceMax: reduction(
    [1, 11, 12, 13, 18, 20],
    "exact",
    foldSymbols((values) => maxOf(values)),
  ),
  ReduceMean: reduction([1, 11, 13, 18]),
  ReduceMin: reduction(
    [1, 11, 12, 13, 18, 20],
    "exact",
    foldSymbols((values) => minOf(values)),
  ),
  ReduceProd: reduction([1, 11, 13, 18], "rounding", productSymbols),
  ReduceSum: summation([1, 11, 13], foldSymbols(sum)),
  ReduceSumSquare: summation([1, 11, 13, 18]),
  ArgMax: arg(),
  ArgMin: arg(),
  TopK: { since: [1, 10, 11, 24], infer: inferTopK, axes: topKAxes, cost: costPerInput, exactness: "exact" },
  Softmax: softmax(),
  LogSoftmax: softmax(),
  Hardmax: softmax("exact"),
  CumSum: cumulative([11, 14], "rounding"),
  CumProd: cumulative([26], "rounding"),
} satisfies Record<string, OpSpec>;

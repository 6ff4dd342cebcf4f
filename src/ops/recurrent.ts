/** @file Recurrent layers: X `[T, N, I]`, W `[D, gates × H, I]`, R `[D, gates × H, H]`, Y `[T, D, N, H]`. */
import { type Dim, type Dims, intOf, stringOf, UNKNOWN_DIM } from "../ir/index.ts";
import { end, mixed, reduced, same } from "./axes.ts";
import { addCosts, macCost } from "./cost.ts";
import { dimsOf, dtypeOf, mapDim, typed, unknownDims } from "./dims.ts";
import type { AxisEnd, AxisRule, CostRule, InferRule, NodeFacts, OpSpec } from "./spec.ts";

interface Sizes {
  readonly time: Dim;
  readonly batch: Dim;
  readonly features: Dim;
  readonly directions: number;
  readonly hidden: Dim;
  /** Layout 1 puts the batch first. */
  readonly batchFirst: boolean;
}

/** `turned`: weights are `[directions, inputs, gates × hidden]`. */
function sizesOf(facts: NodeFacts, gates: number, turned = false): Sizes {
  const batchFirst = intOf(facts.node, "layout", 0) === 1;
  const [first, second, features] = (dimsOf(facts, 0) ?? unknownDims(3)) as readonly [Dim, Dim, Dim];
  const weight =
    dimsOf(facts, 2)?.[turned ? 1 : 2] ?? mapDim(dimsOf(facts, 1)?.[1] ?? UNKNOWN_DIM, (rows) => rows / gates);
  return {
    time: batchFirst ? second : first,
    batch: batchFirst ? first : second,
    features,
    directions: stringOf(facts.node, "direction", "forward") === "bidirectional" ? 2 : 1,
    hidden: intOf(facts.node, "hidden_size") ?? weight,
    batchFirst,
  };
}

/** Y, then the last state of each direction (and the last cell of an LSTM). */
function inferRecurrent(gates: number, turned = false): InferRule {
  return (context) => {
    const { time, batch, directions, hidden, batchFirst } = sizesOf(context, gates, turned);
    const dtype = dtypeOf(context, 0);
    const all: Dims = batchFirst ? [batch, time, directions, hidden] : [time, directions, batch, hidden];
    const last: Dims = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
    return context.node.outputs.map((_, i) => typed(dtype, i === 0 ? all : last));
  };
}

/** Each step multiplies the gates' rows with the features and with the state. */
function recurrentCost(gates: number, turned = false): CostRule {
  return (node) => {
    const { time, batch, directions, hidden, features } = sizesOf(node, gates, turned);
    const steps = [time, batch, directions, gates];
    return addCosts(macCost(...steps, hidden, features), macCost(...steps, hidden, hidden));
  };
}

/** Inputs: X, W, R, B, lengths, initial state, initial cell, peepholes. */
function recurrentAxes(gates: number): AxisRule {
  return (node) => {
    const { batchFirst } = sizesOf(node, gates);
    const given = (ends: readonly AxisEnd[]): AxisEnd[] => ends.filter(({ port }) => node.node.inputs[port]);
    const outputs = (place: (port: number) => number): AxisEnd[] =>
      node.node.outputs.flatMap((value, port) => (value ? [end(port, place(port))] : []));
    const batch = batchFirst ? 0 : 1;
    const rows = { outer: gates };
    const hidden = [end(1, 1, rows), end(2, 1, rows), end(2, 2), end(3, 1, { outer: 2 * gates }), end(5, 2), end(6, 2)];
    return [
      same(
        given([end(0, batch), end(4, 0), end(5, batch), end(6, batch)]),
        outputs((port) => (batchFirst ? 0 : port === 0 ? 2 : 1)),
      ),
      reduced([end(0, 2), end(1, 2)]),
      mixed(
        given([...hidden, end(7, 1, { outer: 3 })]),
        outputs((port) => (port === 0 ? 3 : 2)),
      ),
      ...(node.node.outputs[0] ? [mixed(end(0, batchFirst ? 1 : 0), end(0, batchFirst ? 1 : 0))] : []),
    ];
  };
}

function recurrent(since: readonly number[], gates: number): OpSpec {
  return {
    since,
    infer: inferRecurrent(gates),
    axes: recurrentAxes(gates),
    cost: recurrentCost(gates),
    exactness: "rounding",
  };
}

/** An LSTM with integer weights, `[directions, inputs, 4 × hidden]`; scales and zero points come last. */
export const quantizedLstm: OpSpec = {
  since: [1],
  infer: inferRecurrent(4, true),
  axes: () => undefined,
  cost: recurrentCost(4, true),
  weights: { quantized: [1, 2], settings: [8, 9, 10, 11] },
  exactness: "rounding",
};

export const recurrentOps = {
  LSTM: recurrent([1, 7, 14, 22], 4),
  GRU: recurrent([1, 3, 7, 14, 22], 3),
  RNN: recurrent([1, 7, 14, 22], 1),
} satisfies Record<string, OpSpec>;

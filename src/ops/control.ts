/** @file Control flow: a conditional joins its branches; loops repeat a body until its state's types are stable. */
import { nth } from "../checked.ts";
import {
  type Dim,
  type Dims,
  graphOf,
  intOf,
  intsOf,
  type TensorType,
  UNKNOWN_DIM,
  type ValueType,
} from "../ir/index.ts";
import { opaqueAxes } from "./axes.ts";
import { noCost } from "./cost.ts";
import { asTensor, axisIn, equalDim, joinTypes } from "./dims.ts";
import type { InferContext, InferRule, OpSpec } from "./spec.ts";

type Types = readonly (ValueType | undefined)[];

/** Both branches, unless it is known which one is taken. */
const inferIf: InferRule = (context) => {
  const condition = context.symbols(0)?.[0];
  if (condition === 1) return context.subgraph("then_branch", []);
  if (condition === 0) return context.subgraph("else_branch", []);
  const whenFalse = context.subgraph("else_branch", []);
  return context.subgraph("then_branch", []).map((type, i) => joinTypes(type, whenFalse[i]));
};

/** How often a body is inferred before the dims of its state are given up. */
const ROUNDS = 3;

interface Body {
  /** Types of the inputs before and after the state. */
  readonly before: Types;
  readonly initial: Types;
  readonly after: Types;
  /** Place of the state among the outputs. */
  readonly first: number;
}

/** Types of a body's state and outputs, such that they hold for every iteration. */
function stableBody(context: InferContext, { before, initial, after, first }: Body): { state: Types; outputs: Types } {
  let state = initial;
  for (let round = 0; ; round++) {
    const outputs = context.subgraph("body", [...before, ...state, ...after]);
    const joined = state.map((type, i) => joinTypes(type, outputs[first + i]));
    if (round > 2 * ROUNDS || joined.every((type, i) => sameType(type, state[i]))) return { state: joined, outputs };
    state = round < ROUNDS ? joined : joined.map(withoutDims);
  }
}

function sameType(a: ValueType | undefined, b: ValueType | undefined): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function withoutDims(type: ValueType | undefined): ValueType | undefined {
  return type?.kind === "tensor" ? { kind: type.kind, dtype: type.dtype } : type;
}

/** The type with `length` put in as a new axis. */
function stacked(type: ValueType | undefined, length: Dim, axis = 0): ValueType | undefined {
  const tensor = asTensor(type);
  if (!tensor?.dims) return tensor;
  return withDims(tensor, tensor.dims.toSpliced(axisIn(axis, tensor.dims.length + 1), 0, length));
}

function without(type: ValueType | undefined, axis: number): ValueType | undefined {
  const tensor = asTensor(type);
  if (!tensor?.dims || tensor.dims.length === 0) return tensor && withoutDims(tensor);
  return withDims(tensor, tensor.dims.toSpliced(axisIn(axis, tensor.dims.length), 1));
}

function withDims({ kind, dtype }: TensorType, dims: Dims): TensorType {
  return { kind, dtype, dims };
}

/** Inputs: trip count, condition, state. Outputs: last state, then what each iteration gave, stacked. */
const inferLoop: InferRule = (context) => {
  const initial = context.node.inputs.slice(2).map((_, i) => context.input(i + 2));
  const scalar = (dtype: "int64" | "bool"): ValueType => ({ kind: "tensor", dtype, dims: [] });
  const { state, outputs } = stableBody(context, {
    before: [scalar("int64"), scalar("bool")],
    initial,
    after: [],
    first: 1,
  });
  const scans = outputs.slice(1 + initial.length);
  return [...state, ...scans.map((type) => stacked(type, UNKNOWN_DIM))];
};

const inferScan: InferRule = (context) => (context.version < 9 ? inferLegacyScan(context) : inferCurrentScan(context));

/** Inputs: state, then sequences that are cut along an axis. Outputs: last state, then the stacked results. */
const inferCurrentScan: InferRule = (context) => {
  const { node } = context;
  const scanned = intOf(node, "num_scan_inputs", 0);
  const states = node.inputs.length - scanned;
  const axes = intsOf(node, "scan_input_axes") ?? [];
  const sequences = node.inputs.slice(states).map((_, i) => context.input(states + i));
  const initial = node.inputs.slice(0, states).map((_, i) => context.input(i));
  const elements = sequences.map((type, i) => without(type, axes[i] ?? 0));
  const { state, outputs } = stableBody(context, { before: [], initial, after: elements, first: 0 });
  const length = sequences
    .map((type, i) => axisLength(type, axes[i] ?? 0))
    .reduce((a, b) => equalDim(a, b), UNKNOWN_DIM);
  const places = intsOf(node, "scan_output_axes") ?? [];
  return [...state, ...outputs.slice(states).map((type, i) => stacked(type, length, places[i] ?? 0))];
};

/** Opset 8: an optional input of lengths comes first, and everything has a batch axis. */
const inferLegacyScan: InferRule = (context) => {
  const { node } = context;
  const scanned = intOf(node, "num_scan_inputs", 0);
  const states = node.inputs.length - 1 - scanned;
  const types = node.inputs.slice(1).map((_, i) => context.input(i + 1));
  const batch = types.map((type) => axisLength(type, 0)).reduce((a, b) => equalDim(a, b), UNKNOWN_DIM);
  const length = types
    .slice(states)
    .map((type) => axisLength(type, 1))
    .reduce((a, b) => equalDim(a, b), UNKNOWN_DIM);
  const elements = types.slice(states).map((type) => without(without(type, 1), 0));
  const initial = types.slice(0, states).map((type) => without(type, 0));
  const { state, outputs } = stableBody(context, { before: [], initial, after: elements, first: 0 });
  const scans = outputs.slice(states).map((type) => stacked(stacked(type, length), batch));
  return [...state.map((type) => stacked(type, batch)), ...scans];
};

function axisLength(type: ValueType | undefined, axis: number): Dim {
  const dims = asTensor(type)?.dims;
  return dims && dims.length > 0 ? nth(dims, axisIn(axis, dims.length)) : UNKNOWN_DIM;
}

/** Costs of subgraphs are counted at their own nodes. */
const flow = { axes: opaqueAxes, cost: noCost, exactness: "exact" } as const;

/** The body runs once per element of the sequences; a tensor input is the same for all. */
const inferSequenceMap: InferRule = (context) => {
  const inputs = context.node.inputs.map((_, i) => {
    const type = context.input(i);
    return type?.kind === "sequence" ? type.element : type;
  });
  const outputs = graphOf(context.node, "body") ? context.subgraph("body", inputs) : [];
  return context.node.outputs.map((_, i) => ({ kind: "sequence", element: outputs[i] }));
};

export const controlOps = {
  If: { since: [1, 11, 13, 16, 19, 21, 23, 24, 25], infer: inferIf, ...flow },
  Loop: { since: [1, 11, 13, 16, 19, 21, 23, 24, 25], infer: inferLoop, ...flow },
  Scan: { since: [8, 9, 11, 16, 19, 21, 23, 24, 25], infer: inferScan, ...flow },
  SequenceMap: { since: [17], infer: inferSequenceMap, ...flow },
} satisfies Record<string, OpSpec>;

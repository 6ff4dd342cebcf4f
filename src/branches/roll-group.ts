/** @file Branches as a loop: the body is one branch, and each turn takes its slice of the stacked constants. */
import { atLeast, must, nth } from "../checked.ts";
import {
  constantOf,
  type Graph,
  type GraphBuilder,
  graphAttribute,
  graphBuilder,
  int64s,
  type Model,
  type Node,
  names,
  namesIn,
  qualifiedName,
  sameValueType,
  subgraphsOf,
  TARGET_OPSET,
  type TensorType,
  tensorFromNumbers,
  type Value,
  type ValueType,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { type Declined, declined, isDeterministic, type TypeOf } from "../rewrite/index.ts";
import { isOneForAll, ownedBy } from "./constants-of-sets.ts";
import { equalParts } from "./equal-parts.ts";
import type { BranchGroup } from "./find-branches.ts";
import { ownConstants } from "./own-constants.ts";
import { replaced } from "./replace.ts";
import type { StackedParameter } from "./stacking.ts";

export interface RolledGroup {
  readonly graph: Graph;
  readonly stacked: readonly StackedParameter[];
}

/** Operators that training makes another thing of in every place where they stand. */
const placed: ReadonlySet<string> = new Set(["Dropout", "BatchNormalization"]);

/** The graph with a `Scan` over the branches in the place of the group. The value of the sum stays the same object. */
export function rollGroup(model: Model, group: BranchGroup, typeOf: TypeOf): RolledGroup | Declined {
  const { graph } = model;
  const obstacle = nth(group.nodes, 0).find((node) => isFixed(node, model));
  if (obstacle) return declined(`${qualifiedName(obstacle)} is not the same in every turn of a loop`);
  const type = tensorTypeOf(typeOf, nth(group.outputs, 0));
  if (!type) return declined("the type of what the branches give is not known");
  const g = graphBuilder({ names: names(namesIn(graph)), infer: builderInference(TARGET_OPSET) });
  const record: StackedParameter[] = [];
  const scanned = scannedValues(graph, group, { g, record }, typeOf);
  if (!scanned) return declined("the type of what the branches read is not known");
  const total = summed(g, { ...group, scanned, type }, typeOf);
  const removed = new Set([...group.nodes.flat(), ...group.combine.nodes]);
  const { result } = replaced(graph, g, { removed, given: new Map([[group.combine.output, total]]), added: [] });
  return { graph: result, stacked: record };
}

function isFixed(node: Node, model: Model): boolean {
  return placed.has(qualifiedName(node)) || subgraphsOf(node).length > 0 || !isDeterministic(node, model);
}

type KnownType = TensorType & Required<Pick<TensorType, "dims">>;

function tensorTypeOf(typeOf: TypeOf, value: Value): KnownType | undefined {
  const type: ValueType | undefined = value.type ?? typeOf(value);
  return type?.kind === "tensor" && type.dims ? { ...type, dims: type.dims } : undefined;
}

/** A value with the branches along an axis, and what it is in the first branch. */
interface Scanned {
  readonly whole: Value;
  readonly axis: number;
  readonly first: Value;
  /** In a branch. */
  readonly type: KnownType;
  /** Whether a branch has the axis too, of length 1, which the loop takes away. */
  readonly keepsAxis: boolean;
}

interface Building {
  readonly g: GraphBuilder;
  readonly record: StackedParameter[];
}

/** What differs from branch to branch, stacked along a new first axis. */
function scannedValues(
  graph: Graph,
  { nodes, constants, parts }: BranchGroup,
  { g, record }: Building,
  typeOf: TypeOf,
): readonly Scanned[] | undefined {
  const own = ownConstants({
    g,
    record,
    count: nodes.length,
    constantOf: (value) => constantOf(graph, value),
    isParameter: ownedBy(graph, nodes),
  });
  const scanned: Scanned[] = [];
  for (const i of (constants[0] ?? []).keys()) {
    const values = constants.map((set) => nth(set, i));
    if (isOneForAll(graph, values)) continue;
    const { dtype, dims } = constantOf(graph, values[0])!;
    const type = { kind: "tensor", dtype, dims } as const;
    scanned.push({ whole: own.stacked(values, 0), axis: 0, first: nth(values, 0), type, keepsAxis: false });
  }
  for (const i of (parts[0] ?? []).keys()) {
    const values = parts.map((set) => nth(set, i));
    const type = tensorTypeOf(typeOf, nth(values, 0));
    if (!type) return undefined;
    scanned.push(sideBySide(graph, g, values, type));
  }
  return scanned;
}

/** Computed values of the branches: what a Split cut into single slices is read whole. */
function sideBySide(graph: Graph, g: GraphBuilder, values: readonly Value[], type: KnownType): Scanned {
  const [first] = atLeast(values, 1);
  const whole = equalParts(graph, values);
  if (whole && type.dims[whole.axis] === 1)
    return { ...whole, whole: whole.value, first: first, type, keepsAxis: true };
  const front = axes(g, 0);
  const rows = values.map((value) => g.op("Unsqueeze", [value, front]));
  return { whole: g.op("Concat", rows, { axis: 0 }), axis: 0, first: first, type, keepsAxis: false };
}

interface Rolled extends BranchGroup {
  readonly scanned: readonly Scanned[];
  /** Of what each branch gives. */
  readonly type: KnownType;
}

/** factor · (Σ outputs + Σ addends). A state of the loop takes the sum in where a value of its type is at hand to begin from. */
function summed(g: GraphBuilder, rolled: Rolled, typeOf: TypeOf): Value {
  const { combine, inputs, type } = rolled;
  const isLike = (value: Value): boolean => sameValueType(value.type ?? typeOf(value), type);
  const begun = combine.factor === 1 ? combine.addends.find(isLike) : undefined;
  const like = inputs.find(isLike);
  const start = begun ?? (like && zeros(g, like, type));
  const sum = start ? looped(g, rolled, start) : g.op("ReduceSum", [looped(g, rolled), axes(g, 0)], { keepdims: 0 });
  const others = combine.addends.toSpliced(begun ? combine.addends.indexOf(begun) : combine.addends.length, 1);
  const total = others.reduce((left, right) => g.op("Add", [right, left]), sum);
  if (combine.factor === 1) return total;
  return g.op("Div", [total, g.constant("count", tensorFromNumbers(type.dtype, [], [1 / combine.factor]))]);
}

function axes(g: GraphBuilder, axis: number): Value {
  return g.constant("axes", int64s([axis]));
}

function zeros(g: GraphBuilder, like: Value, { dtype }: TensorType): Value {
  return g.op("ConstantOfShape", [g.op("Shape", [like])], { value: tensorFromNumbers(dtype, [1], [0]) });
}

/** The loop: its last state where it has a start, else the branches' outputs [n, …]. */
function looped(g: GraphBuilder, { nodes, outputs, scanned, type }: Rolled, start?: Value): Value {
  const body = g.subgraph();
  const before = start && body.input("sum", type.dtype, type.dims);
  const at = new Map(scanned.map((part) => [part.first, sliceOf(body, g, part)] as const));
  for (const node of nth(nodes, 0)) {
    const inputs = node.inputs.map((value) => value && (at.get(value) ?? value));
    const made = body.like(node, inputs);
    node.outputs.forEach((value, i) => void (value && at.set(value, nth(made, i))));
  }
  const output = must(at, nth(outputs, 0));
  body.output(before ? body.op("Add", [before, output]) : output);
  const wholes = scanned.map(({ whole }) => whole);
  return g.op("Scan", start ? [start, ...wholes] : wholes, {
    body: graphAttribute(body.build("branch")),
    num_scan_inputs: scanned.length,
    scan_input_axes: scanned.map(({ axis }) => axis),
  });
}

/** What a turn of the loop has of a scanned value. */
function sliceOf(body: GraphBuilder, g: GraphBuilder, { first, type, axis, keepsAxis }: Scanned): Value {
  const { dtype, dims } = type;
  const slice = body.input(first.name, dtype, keepsAxis ? dims.toSpliced(axis, 1) : dims);
  return keepsAxis ? body.op("Unsqueeze", [slice, axes(g, axis)]) : slice;
}

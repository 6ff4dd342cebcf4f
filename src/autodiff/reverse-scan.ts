/**
 * @file The gradient of a Scan: a Scan over the same steps from the last to the first. It carries the cotangents of the states
 * and the sums of those of captured values; what a step needs of the forward pass is recorded by the forward Scan.
 */
import { nth } from "../checked.ts";
import {
  type Attribute,
  type AttributeLiteral,
  attributesFrom,
  constantOf,
  dataTypes,
  dependents,
  type Graph,
  graphAttribute,
  graphOf,
  intOf,
  intsOf,
  makeNode,
  type Node,
  readsOf,
  type TensorType,
  type Value,
  withoutDeadNodes,
} from "../ir/index.ts";
import { cloneGraph } from "./clone.ts";
import type { GradientBuilder } from "./gradient-builder.ts";
import { type Cotangents, operandsOf } from "./rule.ts";
import { bodyOutputs, emitScan, type Sequence } from "./scan.ts";

/** A Scan node, taken apart. */
interface Plan {
  readonly node: Node;
  readonly body: Graph;
  readonly states: number;
  readonly sequences: readonly Sequence[];
  /** How the scan outputs are written. */
  readonly results: readonly { readonly axis: number; readonly reversed: boolean }[];
}

function planOf(node: Node): Plan {
  const body = graphOf(node, "body")!;
  const scanned = intOf(node, "num_scan_inputs", 0);
  const states = node.inputs.length - scanned;
  const list = (name: string, i: number): number => intsOf(node, name)?.[i] ?? 0;
  return {
    node,
    body,
    states,
    sequences: node.inputs.slice(states).map((value, i) => ({
      value: value!,
      axis: list("scan_input_axes", i),
      reversed: list("scan_input_directions", i) === 1,
    })),
    results: body.outputs.slice(states).map((_, i) => ({
      axis: list("scan_output_axes", i),
      reversed: list("scan_output_directions", i) === 1,
    })),
  };
}

/** Which parts of a Scan receive cotangents. */
interface Wanted {
  /** Indices of states, the ones that only matter inside included. */
  readonly states: readonly number[];
  readonly sequences: readonly number[];
  readonly captured: readonly Value[];
}

export function reverseScan(g: GradientBuilder, node: Node, dy: Cotangents, needs: readonly boolean[]): Cotangents {
  const plan = planOf(node);
  const operands = operandsOf(node);
  const captured = operands.filter(
    (value, i): value is Value => i >= node.inputs.length && needs[i] === true && !!value,
  );
  const sequences = plan.sequences.flatMap((_, i) => (needs[plan.states + i] ? [i] : []));
  const wanted: Wanted = { states: activeStates(plan, needs, sequences, captured), sequences, captured };
  const step = reverseStep(g, plan, dy, wanted);
  const tape = record(g, plan, step.reads);
  const given = givenSequences(plan, dy);
  const outputs = emitScan(g, {
    states: [
      ...wanted.states.map((i) => dy[i] ?? g.zerosLike(node.outputs[i] ?? nth(node.inputs, i))),
      ...captured.map((value) => g.zerosLike(value)),
    ],
    sequences: [...given, ...tape.sequences.map(backwards)],
    body: cloneGraph({ ...step.graph, inputs: [...step.graph.inputs, ...tape.values] }, g.fresh),
    results: sequences.map((i) => backwards(nth(plan.sequences, i))),
  });
  const byOperand = new Map<Value | number, Value>();
  wanted.states.forEach((state, i) => void byOperand.set(state, nth(outputs, i)));
  captured.forEach((value, i) => void byOperand.set(value, nth(outputs, wanted.states.length + i)));
  sequences.forEach((index, i) => {
    byOperand.set(plan.states + index, nth(outputs, wanted.states.length + captured.length + i));
  });
  return operands.map((value, i) => (i < node.inputs.length ? byOperand.get(i) : value && byOperand.get(value)));
}

/** States that a wanted value reaches, or that are wanted themselves. */
function activeStates(
  { body, states }: Plan,
  needs: readonly boolean[],
  sequences: readonly number[],
  captured: readonly Value[],
): number[] {
  const active = new Set(needs.slice(0, states).flatMap((need, i) => (need ? [i] : [])));
  const outside = [...sequences.map((i) => nth(body.inputs, states + i)), ...captured];
  for (let size = -1; size !== active.size; ) {
    size = active.size;
    const reached = dependents(body.nodes, new Set([...outside, ...[...active].map((i) => nth(body.inputs, i))]));
    body.outputs.slice(0, states).forEach((value, i) => void (reached.has(value) && isFloat(value) && active.add(i)));
  }
  return [...active].sort((a, b) => a - b);
}

/** The cotangents of the results, read in the reverse of the order in which the results were written. */
function givenSequences({ states, results }: Plan, dy: Cotangents): Sequence[] {
  return results.flatMap(({ axis, reversed }, i) => {
    const value = dy[states + i];
    return value ? [{ value, axis, reversed: !reversed }] : [];
  });
}

function backwards<T extends { readonly reversed: boolean }>(sequence: T): T {
  return { ...sequence, reversed: !sequence.reversed };
}

/** The body of the reverse Scan, which still reads values of the forward body. */
interface ReverseStep {
  readonly graph: Graph;
  /** Values of the forward body that are neither constant nor captured. */
  readonly reads: readonly Value[];
}

function reverseStep(g: GradientBuilder, plan: Plan, dy: Cotangents, wanted: Wanted): ReverseStep {
  const { body, states } = plan;
  const inner = g.inside(body);
  const input = (like: Value): Value => inner.raw.input("cotangent", inner.dtype(like), inner.dims(like));
  const cotangents = new Map<Value, Value>();
  const give = (value: Value, cotangent: Value): void => {
    const sum = cotangents.get(value);
    cotangents.set(value, sum ? inner.add(sum, cotangent) : cotangent);
  };
  for (const i of wanted.states) give(nth(body.outputs, i), input(nth(body.inputs, i)));
  const sums = wanted.captured.map(input);
  body.outputs.slice(states).forEach((value, i) => void (dy[states + i] && give(value, input(value))));
  const sources = [...wanted.states, ...wanted.sequences.map((i) => states + i)].map((i) => nth(body.inputs, i));
  inner.backward(body.nodes, cotangents, new Set([...sources, ...wanted.captured]));
  const result = (value: Value): Value => cotangents.get(value) ?? inner.zerosLike(value);
  const outputs = [
    ...wanted.states.map((i) => result(nth(body.inputs, i))),
    ...wanted.captured.map((value, i) => {
      const cotangent = cotangents.get(value);
      return cotangent ? inner.add(nth(sums, i), cotangent) : nth(sums, i);
    }),
    ...wanted.sequences.map((i) => result(nth(body.inputs, states + i))),
  ];
  return closed(inner, body, bodyOutputs(inner, outputs));
}

/** Constants of the forward body that the nodes read are copied; the rest of it must come from the tape. */
function closed(inner: GradientBuilder, body: Graph, outputs: readonly Value[]): ReverseStep {
  const living = withoutDeadNodes(inner.raw.nodes, inner.raw.initializers, outputs);
  const own = new Set<Value>([...body.inputs, ...body.initializers.keys()]);
  for (const node of body.nodes) for (const value of inner.current(node).outputs) if (value) own.add(value);
  const reads = [...new Set(living.nodes.flatMap(readsOf))].filter((value) => own.has(value));
  const initializers = new Map(living.initializers);
  const taped = reads.filter((value) => {
    const constant = constantOf(body, value);
    if (constant) initializers.set(value, constant);
    return !constant;
  });
  const { inputs } = inner.raw.build();
  return { graph: { name: "step_back", inputs, outputs, nodes: living.nodes, initializers }, reads: taped };
}

interface Tape {
  readonly values: readonly Value[];
  readonly sequences: readonly Sequence[];
}

/** Sequences of the values that the reverse steps read; what the Scan neither reads nor writes yet is written from now on. */
function record(g: GradientBuilder, { node, body, states, sequences, results }: Plan, values: readonly Value[]): Tape {
  const time = nth(sequences, 0);
  const length = g.dims(time.value).at(time.axis)!;
  const added: Recorded[] = [];
  const taped = values.map((value): Sequence => {
    const scanned = body.inputs.indexOf(value) - states;
    if (scanned >= 0) return nth(sequences, scanned);
    const result = body.outputs.indexOf(value, states) - states;
    const output = result >= 0 ? node.outputs[states + result] : undefined;
    if (output) return { value: output, ...nth(results, result) };
    const type: TensorType = { kind: "tensor", dtype: g.dtype(value), dims: [length, ...g.dims(value)] };
    const sequence = { value: { ...g.fresh(value), type }, axis: 0, reversed: false };
    const isFree = !body.inputs.includes(value) && !body.outputs.includes(value);
    added.push({ value, output: isFree ? value : g.fresh(value), sequence: sequence.value });
    return sequence;
  });
  if (added.length > 0) g.replace(node, recording(g, node, results.length, added));
  return { values, sequences: taped };
}

interface Recorded {
  readonly value: Value;
  /** The value, or a copy of one that cannot be an output, or is one already. */
  readonly output: Value;
  readonly sequence: Value;
}

function recording(g: GradientBuilder, original: Node, count: number, added: readonly Recorded[]): Node {
  const node = g.current(original);
  const body = graphOf(node, "body")!;
  const copies = added
    .filter(({ value, output }) => output !== value)
    .map(({ value, output }) => makeNode("Identity", [value], [output], { name: output.name }));
  const next: Graph = {
    ...body,
    nodes: [...body.nodes.map(g.current), ...copies],
    outputs: [...body.outputs, ...added.map(({ output }) => output)],
  };
  const extended = (name: string): [string, AttributeLiteral] => {
    const listed = intsOf(node, name) ?? new Array<number>(count).fill(0);
    return [name, [...listed, ...added.map(() => 0)]];
  };
  const attributes = new Map<string, Attribute>([
    ...node.attributes,
    ...attributesFrom(Object.fromEntries([extended("scan_output_axes"), extended("scan_output_directions")])),
    ["body", graphAttribute(next)],
  ]);
  const missing = body.outputs.length - node.outputs.length;
  const padding = Array.from({ length: missing }, (_, i) => g.fresh(nth(body.outputs, node.outputs.length + i)));
  return { ...node, attributes, outputs: [...node.outputs, ...padding, ...added.map(({ sequence }) => sequence)] };
}

function isFloat({ type }: Value): boolean {
  return type?.kind === "tensor" && dataTypes[type.dtype].kind === "float";
}

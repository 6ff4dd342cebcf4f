/** @file What a kernel receives and gives. */
import { InvalidModelError, UnsupportedError } from "../errors.ts";
import type { Graph, Node } from "../ir/index.ts";
import { type Dense, type Held, isDense, numbers, type Precision, type Sequence } from "./dense.ts";

/** One node under evaluation. Input accessors fail with an error that says where. */
export interface Call {
  readonly node: Node;
  /** Opset version of the node's domain. */
  readonly version: number;
  readonly where: string;
  readonly precision: Precision;
  readonly inputs: readonly (Held | undefined)[];
  /** Evaluates a subgraph of the node with values for its inputs, and gives those of its outputs. */
  run(graph: Graph, inputs: readonly Held[]): Held[];
}

/** The definition of an operator: the outputs, or the only one. */
export type Kernel = (call: Call) => Held | readonly (Held | undefined)[];

export type Kernels = Readonly<Record<string, Kernel>>;

/** The i-th input, which must be present and an array. */
export function inputOf(call: Call, i: number): Dense {
  const held = optionalInput(call, i);
  if (!held) throw new InvalidModelError(`input ${i} is missing`, { where: call.where });
  return held;
}

/** The i-th input as an array, or `undefined` when it is omitted. */
export function optionalInput(call: Call, i: number): Dense | undefined {
  const held = call.inputs[i];
  if (held === undefined || isDense(held)) return held;
  throw new InvalidModelError(`input ${i} is not a tensor`, { where: call.where });
}

export function sequenceInput(call: Call, i: number): Sequence {
  const held = call.inputs[i];
  if (held && "items" in held) return held;
  throw new InvalidModelError(`input ${i} is not a sequence`, { where: call.where });
}

/** The inputs that are present, as arrays. */
export function presentInputs(call: Call): Dense[] {
  return call.inputs.map((_, i) => optionalInput(call, i)).filter((x) => x !== undefined);
}

/** The numbers of a small integer input such as axes or pads; `undefined` when it is omitted. */
export function listInput(call: Call, i: number): number[] | undefined {
  const x = optionalInput(call, i);
  return x && [...numbers(x)];
}

/** The single number of an input; `fallback` when it is omitted. */
export function scalarInput(call: Call, i: number, fallback: number): number {
  const x = optionalInput(call, i);
  return x ? (numbers(x)[0] ?? fallback) : fallback;
}

export function unsupported(call: Call, what: string): UnsupportedError {
  return new UnsupportedError(`${what} is not evaluated`, { where: call.where });
}

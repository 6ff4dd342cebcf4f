/** @file Links between axes, as the operators' entries put them together. */
import { type Dim, type Dims, sameDim } from "../ir/index.ts";
import { asTensor, dimsOf, outputDims } from "./dims.ts";
import type { AxisEnd, AxisLink, AxisRule, TypedNode } from "./spec.ts";

type Ends = AxisEnd | readonly AxisEnd[];

function list(ends: Ends): readonly AxisEnd[] {
  return "port" in ends ? [ends] : ends;
}

export function end(port: number, axis: number, place: Omit<AxisEnd, "port" | "axis"> = {}): AxisEnd {
  return { port, axis, ...place };
}

export function same(inputs: Ends, outputs: Ends): AxisLink {
  return { kind: "same", inputs: list(inputs), outputs: list(outputs) };
}

export function reduced(inputs: Ends): AxisLink {
  return { kind: "reduced", inputs: list(inputs), outputs: [] };
}

export function mixed(inputs: Ends, outputs: Ends): AxisLink {
  return { kind: "mixed", inputs: list(inputs), outputs: list(outputs) };
}

/** Nothing is known of the operator's axes. */
export const opaqueAxes: AxisRule = () => undefined;

/** No axis of the inputs is an axis of an output. */
export const noAxes: AxisRule = () => [];

/** Every axis goes from input 0 to all outputs of the same rank; `mixing` names those that are mixed. */
export function throughAxes(mixing: (node: TypedNode, rank: number) => readonly number[] = () => []): AxisRule {
  return (node) => {
    const dims = dimsOf(node, 0);
    if (!dims) return undefined;
    const mixes = new Set(mixing(node, dims.length));
    const ports = node.node.outputs.flatMap((value, i) =>
      value && asTensor(node.output(i))?.dims?.length === dims.length ? [i] : [],
    );
    return dims.map((_, axis) => {
      const outputs = ports.map((port) => end(port, axis));
      return mixes.has(axis) ? mixed(end(0, axis), outputs) : same(end(0, axis), outputs);
    });
  };
}

/** Axes of operators that broadcast their inputs; `place` says where an input's axes begin in the output. */
export function broadcastAxes(
  place: (node: TypedNode, input: Dims, output: Dims) => number = (_, input, output) => output.length - input.length,
): AxisRule {
  return (node) => {
    const output = outputDims(node);
    if (!output) return undefined;
    const inputs: { port: number; dims: Dims; first: number }[] = [];
    for (const port of node.node.inputs.keys()) {
      if (!node.node.inputs[port]) continue;
      const dims = dimsOf(node, port);
      if (!dims) return undefined;
      inputs.push({ port, dims, first: place(node, dims, output) });
    }
    return output.flatMap((dim, axis) => {
      const ends = inputs.filter(({ dims, first }) => (dims[axis - first] ?? 1) !== 1 || dim === 1);
      const held = ends.filter(({ dims, first }) => dims[axis - first] !== undefined);
      const certain = held.length === 1 || held.every(({ dims, first }) => sameDim(dims[axis - first]!, dim));
      if (!certain || held.length === 0) return [];
      return [
        same(
          held.map(({ port, first }) => end(port, axis - first)),
          allOutputs(node, axis),
        ),
      ];
    });
  };
}

function allOutputs({ node }: TypedNode, axis: number): AxisEnd[] {
  return node.outputs.flatMap((value, port) => (value ? [end(port, axis)] : []));
}

/** Dims of the value at an end of a link. */
export type DimsAt = (port: number, side: "inputs" | "outputs") => Dims | undefined;

/** Length of the axis that a link is about; `undefined` when it is not known. */
export function linkedLength(link: AxisLink, dimsAt: DimsAt): number | undefined {
  for (const side of ["inputs", "outputs"] as const) {
    for (const each of link[side]) {
      const length = lengthAt(each, dimsAt(each.port, side)?.[each.axis]);
      if (length !== undefined) return length;
    }
  }
  return undefined;
}

function lengthAt({ outer = 1, inner = 1, offset, places, length }: AxisEnd, dim: Dim | undefined): number | undefined {
  if (length !== undefined) return length;
  if (places) return places.length;
  return offset === undefined && typeof dim === "number" ? dim / (outer * inner) : undefined;
}

/** Where position `k` of a linked axis of `length` positions lies on the axis of an end. */
export function placesOf(
  { outer = 1, inner = 1, offset = 0, places }: Omit<AxisEnd, "port" | "axis">,
  length: number,
  k: number,
): readonly number[] {
  if (places) return [places[k]!];
  if (outer === 1 && inner === 1) return [offset + k];
  const found: number[] = [];
  for (let o = 0; o < outer; o++) for (let i = 0; i < inner; i++) found.push(offset + (o * length + k) * inner + i);
  return found;
}

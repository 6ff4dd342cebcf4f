/** @file Scan nodes: a body over states that are carried and slices that are scanned. */
import { type Dims, type Graph, graphAttribute, type Value } from "../ir/index.ts";
import type { GradientBuilder } from "./gradient-builder.ts";
import { dimsOf, dtypeOf } from "./typed.ts";

/** A sequence that a Scan reads or writes, along `axis`, from the back when `reversed`. */
export interface Sequence {
  readonly value: Value;
  readonly axis: number;
  readonly reversed: boolean;
}

export interface ScanParts {
  /** Initial states. */
  readonly states: readonly Value[];
  readonly sequences: readonly Sequence[];
  /** Inputs: states, then slices. Outputs: next states, then slices of the results. */
  readonly body: Graph;
  readonly results: readonly { readonly axis: number; readonly reversed: boolean }[];
}

/** Final states, then results. */
export function emitScan(g: GradientBuilder, { states, sequences, body, results }: ScanParts): Value[] {
  const direction = ({ reversed }: { reversed: boolean }): number => (reversed ? 1 : 0);
  return g.ops("Scan", [...states, ...sequences.map(({ value }) => value)], states.length + results.length, {
    body: graphAttribute(body),
    num_scan_inputs: sequences.length,
    scan_input_axes: sequences.map(({ axis }) => axis),
    scan_input_directions: sequences.map(direction),
    ...(results.length === 0
      ? {}
      : { scan_output_axes: results.map(({ axis }) => axis), scan_output_directions: results.map(direction) }),
  });
}

/** An input of the body that `inner` builds. */
export function bodyInput(inner: GradientBuilder, name: string, like: Value, dims: Dims = dimsOf(like)): Value {
  return inner.raw.input(name, dtypeOf(like), dims);
}

/** Values as outputs of a body: one that the body did not make, or that is given already, is copied. */
export function bodyOutputs(inner: GradientBuilder, values: readonly Value[]): Value[] {
  const own = new Set(inner.raw.nodes.flatMap(({ outputs }) => outputs));
  return values.map((value) => (own.delete(value) ? value : inner.raw.op("Identity", [value])));
}

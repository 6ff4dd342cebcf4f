/**
 * @file The axis map against the reference evaluator: where an axis is "the same" on both sides of an operator, taking
 * one position out of the inputs takes it out of the outputs and changes nothing else.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LitheError } from "../../src/errors.ts";
import { type Model, type Node, qualifiedName, type Tensor, type Value } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { decodeTensorFile } from "../../src/onnx/tensor-file.ts";
import { linkedLength, placesOf } from "../../src/ops/axes.ts";
import {
  type AxisEnd,
  type AxisLink,
  axesOf,
  inferModel,
  type Restated,
  restated,
  specOf,
  type TypedNode,
  withRestated,
} from "../../src/ops/index.ts";
import { type Dense, fromTensor, isDense, numbers, select } from "../../src/reference/dense.ts";
import { evaluateValues } from "../../src/reference/evaluate.ts";
import { allCases, type Case } from "../conformance/cases.ts";
import { describeShared } from "../shared.ts";

interface Trial {
  readonly name: string;
  readonly model: Model;
  readonly node: Node;
  /** Inputs and outputs of the node by place. */
  readonly inputs: readonly (Dense | undefined)[];
  readonly outputs: readonly (Dense | undefined)[];
}

/** A case of one node with tensors only, its small inputs made constants. */
function trialOf(test: Case): Trial | undefined {
  const model = decodeModel(readFileSync(test.model));
  const [node] = model.graph.nodes;
  const spec = node && specOf(node);
  if (!node || model.graph.nodes.length !== 1 || !spec || spec.exactness === "random") return undefined;
  const tensors = new Map<Value, Tensor>(
    [...model.graph.initializers].flatMap(([value, data]) => ("dtype" in data ? [[value, data]] : [])),
  );
  try {
    for (const [i, path] of test.inputs) tensors.set(model.graph.inputs[i]!, decodeTensorFile(readFileSync(path)));
    const small = [...tensors].filter(([, { dims }]) => dims.length <= 1);
    const graph = { ...model.graph, initializers: new Map([...model.graph.initializers, ...small]) };
    const known = { ...model, graph };
    const held = new Map([...tensors].map(([value, tensor]) => [value, fromTensor(tensor)]));
    const trial = { name: test.name, model: known, node, inputs: node.inputs.map((value) => value && held.get(value)) };
    return { ...trial, outputs: evaluated(trial, trial.inputs) };
  } catch (error) {
    if (error instanceof LitheError) return undefined;
    throw error;
  }
}

function evaluated(
  { model, node }: Pick<Trial, "model" | "node">,
  inputs: readonly (Dense | undefined)[],
): (Dense | undefined)[] {
  const feeds = new Map(node.inputs.flatMap((value, i) => (value && inputs[i] ? [[value.name, inputs[i]]] : [])));
  const results = evaluateValues(model, feeds);
  return node.outputs.map((value) => {
    const held = value && results.get(value.name);
    return isDense(held) ? held : undefined;
  });
}

/** The axis of an end without position `gone` of the linked axis. */
function keptAt(end: AxisEnd, size: number, length: number, gone: number): number[] {
  const cut = new Set(placesOf(end, length, gone));
  return Array.from({ length: size }, (_, i) => i).filter((i) => !cut.has(i));
}

function taken(x: Dense, axis: number, kept: readonly number[]): Dense {
  const size = x.dims[axis]!;
  const after = x.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const before = x.dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const source: number[] = [];
  for (let block = 0; block < before; block++) {
    for (const i of kept) for (let j = 0; j < after; j++) source.push((block * size + i) * after + j);
  }
  return select(x, x.dims.with(axis, kept.length), source);
}

function cutAll(
  values: readonly (Dense | undefined)[],
  ends: readonly AxisEnd[],
  length: number,
  gone: number,
): (Dense | undefined)[] {
  return ends.reduce(
    (list, end) => {
      const x = list[end.port]!;
      return list.with(end.port, taken(x, end.axis, keptAt(end, x.dims[end.axis]!, length, gone)));
    },
    [...values],
  );
}

function equal(a: Dense | undefined, b: Dense | undefined): boolean {
  if (!a || !b) return a === b;
  if (a.dims.join() !== b.dims.join()) return false;
  if (Array.isArray(a.data)) return a.data.join("\0") === (b.data as string[]).join("\0");
  const [x, y] = [numbers(a), numbers(b)];
  return x.every((value, i) => Object.is(value, y[i]!) || Math.abs(value - y[i]!) <= 1e-9 * (1 + Math.abs(value)));
}

/** Operators that state lengths in ways that nobody cuts. */
const apart = new Set(["AffineGrid"]);

/** What the operator gives when one position of a linked axis is gone, and what it states of lengths has followed. */
function afterCut(trial: Trial, facts: TypedNode, link: AxisLink, length: number, gone: number) {
  const keptBy = (side: "inputs" | "outputs") => (port: number, axis: number) => {
    const end = link[side].find((each) => each.port === port && each.axis === axis);
    const size = trial[side][port]?.dims[axis];
    return end && size !== undefined ? keptAt(end, size, length, gone) : undefined;
  };
  const stated = restated(facts, { input: keptBy("inputs"), output: keptBy("outputs") });
  const inputs = cutAll(trial.inputs, link.inputs, length, gone);
  for (const [port, tensor] of stated.inputs ?? []) inputs[port] = fromTensor(tensor);
  return evaluated(withStated(trial, stated), inputs);
}

function withStated(trial: Trial, stated: Restated): Trial {
  const constants = new Map<Value, Tensor>();
  const node = withRestated(trial.node, stated, (name, tensor) => {
    const value = { name };
    constants.set(value, tensor);
    return value;
  });
  const { graph } = trial.model;
  const initializers = new Map([...graph.initializers, ...constants]);
  return { ...trial, node, model: { ...trial.model, graph: { ...graph, nodes: [node], initializers } } };
}

/** Complaints about one link of a trial: positions whose cut does not commute with the operator. */
function complaints(trial: Trial, facts: TypedNode, link: AxisLink, length: number): string[] {
  return [0, length - 1].flatMap((gone) => {
    const where = `${trial.name}, position ${gone} of ${JSON.stringify(link)}`;
    const expected = cutAll(trial.outputs, link.outputs, length, gone);
    try {
      const after = afterCut(trial, facts, link, length, gone);
      return link.outputs.every(({ port }) => equal(after[port], expected[port])) ? [] : [where];
    } catch (error) {
      if (error instanceof LitheError) return [`${where}: ${error.message}`];
      throw error;
    }
  });
}

describeShared("axis laws", () => {
  it("cuts before an operator as after it", () => {
    const wrong: string[] = [];
    const held = new Set<string>();
    for (const test of allCases()) {
      const trial = test.name.startsWith("light/") ? undefined : trialOf(test);
      if (!trial || apart.has(trial.node.opType)) continue;
      const inference = inferModel(trial.model);
      for (const link of axesOf(inference, trial.node) ?? []) {
        const dimsAt = (port: number, side: "inputs" | "outputs") => trial[side][port]?.dims;
        const length = link.kind === "same" ? linkedLength(link, dimsAt) : undefined;
        if (length === undefined || length < 2) continue;
        wrong.push(...complaints(trial, inference.facts(trial.node), link, length));
        held.add(qualifiedName(trial.node));
      }
    }
    expect(wrong).toEqual([]);
    expect(held.size).toBeGreaterThan(140);
  });
});

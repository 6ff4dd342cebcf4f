/**
 * @file The axis map against the reference evaluator: where an axis is "the same" on both sides of an operator, taking
 * one position out of the inputs takes it out of the outputs and changes nothing else.
 */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { LitheError } from "../../src/errors.ts";
import { int64s, intOf, type Model, type Node, qualifiedName, type Tensor, type Value } from "../../src/ir/index.ts";
import { decodeModel } from "../../src/onnx/index.ts";
import { decodeTensorFile } from "../../src/onnx/tensor-file.ts";
import { type AxisEnd, type AxisLink, axesOf, inferModel, specOf } from "../../src/ops/index.ts";
import { type Dense, fromTensor, isDense, numbers, select } from "../../src/reference/dense.ts";
import { evaluateValues } from "../../src/reference/index.ts";
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

/** Length of the linked axis, seen from one of its ends. */
function lengthAt({ axis, outer = 1, inner = 1 }: AxisEnd, dims: readonly number[]): number {
  return dims[axis]! / (outer * inner);
}

/** The tensor without position `gone` of a linked axis of the given length. */
function cut(x: Dense, { axis, inner = 1, offset = 0 }: AxisEnd, length: number, gone: number, part: boolean): Dense {
  const size = x.dims[axis]!;
  const place = (i: number): number => (part ? i - offset : Math.floor(i / inner) % length);
  const kept = Array.from({ length: size }, (_, i) => i).filter((i) => place(i) !== gone);
  const after = x.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const before = x.dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const source: number[] = [];
  for (let block = 0; block < before; block++) {
    for (const i of kept) for (let j = 0; j < after; j++) source.push((block * size + i) * after + j);
  }
  return select(x, x.dims.with(axis, kept.length), source);
}

/** Length of the linked axis: that of an end which is not a part of a longer one. */
function linkLength({ inputs, outputs }: AxisLink, trial: Trial): number | undefined {
  const lengths = [
    ...inputs.filter(({ offset }) => offset === undefined).map((end) => [end, trial.inputs[end.port]] as const),
    ...outputs.filter(({ offset }) => offset === undefined).map((end) => [end, trial.outputs[end.port]] as const),
  ].map(([end, x]) => x && lengthAt(end, x.dims));
  expect(new Set(lengths).size, `lengths of one axis of ${trial.name}: ${lengths.join(", ")}`).toBe(1);
  return lengths[0];
}

function cutAll(
  values: readonly (Dense | undefined)[],
  ends: readonly AxisEnd[],
  length: number,
  gone: number,
): (Dense | undefined)[] {
  return ends.reduce(
    (list, end) => list.with(end.port, cut(list[end.port]!, end, length, gone, end.offset !== undefined)),
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

/** Operators that state lengths in attributes or inputs of their own, which the law does not adapt. */
const following = new Set(["AffineGrid", "Slice", "Split"]);
/** Operators whose input 1 is the shape of the result. */
const shaped = new Set(["Reshape", "Expand"]);

/** What the operator gives when one position of a linked axis is gone. */
function afterCut(trial: Trial, link: AxisLink, length: number, gone: number, expected: Dense | undefined) {
  const inputs = cutAll(trial.inputs, link.inputs, length, gone);
  if (shaped.has(trial.node.opType) && inputs[1]) inputs[1] = fromTensor(int64s(expected?.dims ?? []));
  const groups = intOf(trial.node, "group") === length && link.outputs[0]?.axis === 1;
  return evaluated(groups ? withFewerGroups(trial, length - 1) : trial, inputs);
}

/** The attribute `group` follows a cut of the groups. */
function withFewerGroups(trial: Trial, group: number): Trial {
  const attributes = new Map(trial.node.attributes).set("group", { type: "int", value: BigInt(group) });
  const node = { ...trial.node, attributes };
  return { ...trial, node, model: { ...trial.model, graph: { ...trial.model.graph, nodes: [node] } } };
}

/** Complaints about one link of a trial: positions whose cut does not commute with the operator. */
function complaints(trial: Trial, link: AxisLink, length: number): string[] {
  return [0, length - 1].flatMap((gone) => {
    const where = `${trial.name}, position ${gone} of ${JSON.stringify(link)}`;
    const expected = cutAll(trial.outputs, link.outputs, length, gone);
    try {
      const after = afterCut(trial, link, length, gone, expected[0]);
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
      if (!trial || following.has(trial.node.opType)) continue;
      for (const link of axesOf(inferModel(trial.model), trial.node) ?? []) {
        const length = link.kind === "same" ? linkLength(link, trial) : undefined;
        if (length === undefined || length < 2) continue;
        wrong.push(...complaints(trial, link, length));
        held.add(qualifiedName(trial.node));
      }
    }
    expect(wrong).toEqual([]);
    expect(held.size).toBeGreaterThan(140);
  });
});

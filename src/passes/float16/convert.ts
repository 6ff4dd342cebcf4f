/** @file Walks a graph in order and gives every float32 value a float16 form where nodes compute in it. */
import { must, nth } from "../../checked.ts";
import {
  dataTypes,
  editGraph,
  type Graph,
  type Initializer,
  isSparse,
  makeNode,
  mapSubgraphs,
  type Names,
  type Node,
  subgraphsOf,
  type Tensor,
  tensorType,
  type Value,
  type ValueType,
} from "../../ir/index.ts";
import { halfAttributes, toHalf } from "./numbers.ts";
import type { Ports } from "./ports.ts";

export interface Conversion {
  readonly names: Names;
  readonly ports: Ports;
  type(value: Value): ValueType | undefined;
  /** Whether a node computes in float32, whatever stands around it. */
  keeps(node: Node): boolean;
}

/** The forms of float32 values in a graph; a subgraph also sees those of the graphs around it. */
interface Scope {
  readonly graph: Graph;
  readonly outer: Scope | undefined;
  /** float32 value → float16 form. */
  readonly half: Map<Value, Value>;
  /** Values whose producer makes the float16 form, so that float32 needs a `Cast`; that one once it exists. */
  readonly single: Map<Value, Value | undefined>;
  readonly nodes: Node[];
  readonly initializers: Map<Value, Initializer>;
  /** Outputs of the graph's own nodes that keep float32 and their name. */
  readonly kept: ReadonlySet<Value>;
  /** Values that give their name to the float16 output. */
  readonly renamed: Map<Value, Value>;
}

/**
 * The graph with float16 computation. With `ioStays` its inputs and outputs keep their dtype, which `Cast` nodes provide.
 * The same graph when it has no float32 computation to convert.
 */
export function convertGraph(conversion: Conversion, graph: Graph, outer?: Scope, ioStays = true): Graph {
  const scope: Scope = {
    graph,
    outer,
    half: new Map(),
    single: new Map(),
    nodes: [],
    initializers: new Map(graph.initializers),
    kept: new Set(ioStays ? madeOutputs(graph) : []),
    renamed: new Map(),
  };
  const inputs = ioStays ? graph.inputs : graph.inputs.map((value) => nativeInput(conversion, scope, value));
  for (const node of graph.nodes) scope.nodes.push(converted(conversion, scope, node));
  const outputs = graph.outputs.map((value) => outputOf(conversion, scope, value, ioStays));
  if (isSame(graph, scope, inputs, outputs)) return graph;
  return withoutUnused({ ...graph, inputs, outputs, nodes: scope.nodes, initializers: scope.initializers }, scope);
}

/** A branch may also return what a graph around it has made. */
function madeOutputs({ nodes, outputs }: Graph): readonly Value[] {
  const made = new Set(nodes.flatMap((node) => node.outputs));
  return outputs.filter((value) => made.has(value));
}

function isSame(graph: Graph, scope: Scope, inputs: readonly Value[], outputs: readonly Value[]): boolean {
  const equal = <T>(a: readonly T[], b: readonly T[]): boolean =>
    a.length === b.length && a.every((x, i) => x === b[i]);
  return equal(graph.nodes, scope.nodes) && equal(graph.inputs, inputs) && equal(graph.outputs, outputs);
}

function nativeInput(conversion: Conversion, scope: Scope, value: Value): Value {
  if (!isFloat32(conversion, value) || scope.initializers.has(value)) return value;
  const form: Value = { ...value, type: halfType(conversion, value) };
  scope.half.set(value, form);
  scope.single.set(value, undefined);
  return form;
}

function converted(conversion: Conversion, scope: Scope, node: Node): Node {
  if (staysSingle(conversion, node, (value) => scope.kept.has(value))) return singleNode(conversion, scope, node);
  const inputs = mapped(node.inputs, (value, i) => inputFor(conversion, scope, node, value, i));
  const outputs = mapped(node.outputs, (value, i) => {
    if (!isFloat32(conversion, value) || !conversion.ports.takesOutput(node, i)) return value;
    const type = halfType(conversion, value);
    const inner = scope.kept.has(value);
    const form: Value = inner ? { name: conversion.names.fresh(`${value.name}_fp16`), type } : { ...value, type };
    scope.half.set(value, form);
    scope.single.set(value, undefined);
    return form;
  });
  if (inputs === node.inputs && outputs === node.outputs) return node;
  return { ...node, inputs, outputs, attributes: outputs === node.outputs ? node.attributes : halfAttributes(node) };
}

function inputFor(conversion: Conversion, scope: Scope, node: Node, value: Value, i: number): Value {
  if (!isFloat32(conversion, value)) return value;
  if (!conversion.ports.takesInput(node, i)) return singleForm(conversion, scope, value);
  // A Cast takes whichever form is there.
  if (node.opType === "Cast" && node.domain === "") return scopeOf(scope, value)?.half.get(value) ?? value;
  return halfForm(conversion, scope, value);
}

/** Whether the node computes in float32: by the caller's choice, for its form, or because too little is known about it. */
function staysSingle(conversion: Conversion, node: Node, isKept: (value: Value) => boolean): boolean {
  if (conversion.keeps(node) || subgraphsOf(node).length > 0) return true;
  const values = [...node.inputs, ...node.outputs].filter((value): value is Value => value !== undefined);
  const types = values.map((value) => conversion.type(value));
  if (types.some((type) => type?.kind !== "tensor")) return true;
  if (node.opType === "Constant") return !node.attributes.has("value");
  if (node.opType !== "Cast") return false;
  const [from, to] = types;
  const widens = from?.kind === "tensor" && from.dtype === "float16" && to?.kind === "tensor" && to.dtype === "float32";
  return widens || node.outputs.some((value) => value !== undefined && isKept(value));
}

function singleNode(conversion: Conversion, scope: Scope, node: Node): Node {
  const inner = innerConverted(conversion, scope, node);
  const inputs = mapped(node.inputs, (value) => singleForm(conversion, scope, value));
  return inputs === node.inputs ? inner : { ...inner, inputs };
}

function innerConverted(conversion: Conversion, scope: Scope, node: Node): Node {
  if (subgraphsOf(node).length === 0) return node;
  const holder: Graph = { ...scope.graph, nodes: [node] };
  return nth(mapSubgraphs(holder, (inner) => convertGraph(conversion, inner, scope)).nodes, 0);
}

function outputOf(conversion: Conversion, scope: Scope, value: Value, ioStays: boolean): Value {
  if (!isFloat32(conversion, value)) return value;
  if (ioStays) return singleForm(conversion, scope, value);
  if (scope.single.has(value)) return must(scope.half, value);
  const form: Value = { ...value, type: halfType(conversion, value) };
  scope.nodes.push(castNode(conversion, value, form, "float16"));
  scope.renamed.set(value, { ...value, name: conversion.names.fresh(`${value.name}_fp32`) });
  scope.half.set(value, form);
  scope.single.set(value, value);
  return form;
}

/** The scope in which a value got its forms. */
function scopeOf(scope: Scope, value: Value): Scope | undefined {
  for (let found: Scope | undefined = scope; found; found = found.outer) if (found.half.has(value)) return found;
  return undefined;
}

function halfForm(conversion: Conversion, scope: Scope, value: Value): Value {
  const known = scopeOf(scope, value)?.half.get(value);
  if (known) return known;
  const owner = ownerOf(scope, value) ?? scope;
  const data = owner.initializers.get(value);
  const form: Value = { name: conversion.names.fresh(`${value.name}_fp16`), type: halfType(conversion, value) };
  if (data && isDense(data) && !owner.graph.inputs.includes(value)) {
    owner.initializers.set(form, toHalf(data));
    owner.half.set(value, form);
    return form;
  }
  scope.nodes.push(castNode(conversion, value, form, "float16"));
  scope.half.set(value, form);
  return form;
}

function ownerOf(scope: Scope, value: Value): Scope | undefined {
  for (let found: Scope | undefined = scope; found; found = found.outer)
    if (found.initializers.has(value)) return found;
  return undefined;
}

function singleForm(conversion: Conversion, scope: Scope, value: Value): Value {
  for (let found: Scope | undefined = scope; found; found = found.outer) {
    if (!found.single.has(value)) continue;
    const known = found.single.get(value);
    if (known) return known;
    const form = scope.kept.has(value) ? value : singleValue(conversion, value);
    scope.nodes.push(castNode(conversion, must(found.half, value), form, "float32"));
    scope.single.set(value, form);
    if (found !== scope) scope.half.set(value, must(found.half, value));
    return form;
  }
  return value;
}

function singleValue(conversion: Conversion, value: Value): Value {
  const type = conversion.type(value);
  return { name: conversion.names.fresh(`${value.name}_fp32`), ...(type ? { type } : {}) };
}

function castNode({ names }: Conversion, from: Value, to: Value, dtype: "float16" | "float32"): Node {
  return makeNode("Cast", [from], [to], {
    name: names.fresh(`${to.name}_cast`),
    attributes: { to: dataTypes[dtype].code },
  });
}

/** Initializers that only float16 nodes read lose their float32 form, and the float16 form takes over the name. */
function withoutUnused(graph: Graph, scope: Scope): Graph {
  const read = new Set<Value>(graph.outputs);
  const collect = (inner: Graph): void => {
    for (const node of inner.nodes) {
      for (const value of node.inputs) if (value) read.add(value);
      for (const held of subgraphsOf(node)) collect(held);
    }
    for (const value of inner.outputs) read.add(value);
  };
  collect(graph);
  return editGraph(graph, (draft) => {
    for (const [value, form] of scope.half) {
      if (read.has(value) || !graph.initializers.has(value) || !graph.initializers.has(form)) continue;
      draft.removeInitializer(value);
      draft.substitute(form, { ...value, type: form.type! });
    }
    for (const [value, other] of scope.renamed) draft.substitute(value, other);
  });
}

function isFloat32({ type }: Conversion, value: Value): boolean {
  const known = type(value);
  return known?.kind === "tensor" && known.dtype === "float32";
}

function halfType({ type }: Conversion, value: Value): ValueType {
  const known = type(value);
  return tensorType("float16", known?.kind === "tensor" ? known.dims : undefined);
}

function isDense(data: Initializer): data is Tensor {
  return !isSparse(data);
}

function mapped(
  values: readonly (Value | undefined)[],
  change: (value: Value, i: number) => Value,
): readonly (Value | undefined)[] {
  const next = values.map((value, i) => value && change(value, i));
  return next.every((value, i) => value === values[i]) ? values : next;
}

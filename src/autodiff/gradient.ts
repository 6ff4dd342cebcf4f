/** @file Reverse-mode differentiation of a graph. The driver knows no operator; `rules/` does. */
import { UnsupportedError, UsageError } from "../errors.ts";
import {
  constantOf,
  describeNode,
  type Graph,
  graphBuilder,
  type Names,
  type Node,
  names,
  namesIn,
  qualifiedName,
  readsOf,
  type Value,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { type Forms, type GradientBuilder, gradientBuilder } from "./gradient-builder.ts";
import type { GradientEntry } from "./rule.ts";

/** The rule of a node's operator; `undefined` for an operator that lithe does not know. */
export type FindRule = (node: Node) => GradientEntry | undefined;

export interface Differentiated {
  /** The graph with the nodes of the gradient behind its own; inputs and outputs are as before. */
  readonly graph: Graph;
  /** The gradient for each wanted value; absent where the output does not depend on it. */
  readonly gradients: ReadonlyMap<Value, Value>;
}

export interface DifferentiateOptions {
  /** The value to differentiate; a tensor of one element unless `seed` is given. */
  readonly of: Value;
  readonly wrt: readonly Value[];
  /** The cotangent of `of`; ones when absent. */
  readonly seed?: Value;
  /** Values through which no gradient flows. */
  readonly stopAt?: ReadonlySet<Value>;
  readonly opset: number;
  readonly forms?: Forms;
  readonly scope?: Names;
}

/** Adds the gradient of one value with respect to others. Every value of the graph must be typed (infer-shapes). */
export function differentiateGraph(graph: Graph, find: FindRule, options: DifferentiateOptions): Differentiated {
  const { of, wrt, stopAt = new Set(), opset, scope = names(namesIn(graph)) } = options;
  const builder = graphBuilder({ names: scope, infer: builderInference(opset), prefix: "grad/" });
  const added = new Map(graph.initializers);
  const constant = (value: Value | undefined) => constantOf(graph, value) ?? denseIn(builder.initializers, value);
  const g = gradientBuilder(builder, constant, options.forms);
  const active = dependents(graph, new Set(wrt), stopAt);
  if (!active.has(of)) throw nothingToDo(of, wrt);
  const cotangents = new Map<Value, Value>([[of, options.seed ?? ones(g, of)]]);
  for (const node of [...graph.nodes].reverse()) backward(g, node, find, { active, cotangents, stopAt });
  for (const [value, data] of builder.initializers) added.set(value, data);
  const gradients = new Map<Value, Value>();
  for (const value of wrt) {
    const gradient = cotangents.get(value);
    if (gradient) gradients.set(value, gradient);
  }
  return { graph: { ...graph, nodes: [...graph.nodes, ...builder.nodes], initializers: added }, gradients };
}

interface Flow {
  readonly active: ReadonlySet<Value>;
  readonly cotangents: Map<Value, Value>;
  readonly stopAt: ReadonlySet<Value>;
}

function backward(g: GradientBuilder, node: Node, find: FindRule, { active, cotangents, stopAt }: Flow): void {
  const dy = node.outputs.map((value) => value && cotangents.get(value));
  const needs = node.inputs.map((value) => value !== undefined && active.has(value) && !stopAt.has(value));
  const reads = readsOf(node).some((value) => active.has(value));
  if (!reads || dy.every((value) => value === undefined)) return;
  const rule = find(node);
  if (rule === undefined) throw unknownOperator(node);
  if (typeof rule !== "function") {
    if (rule.kind === "stop") return;
    throw new UnsupportedError(`${qualifiedName(node)} has no gradient: ${rule.reason}`, { where: describeNode(node) });
  }
  const dx = rule(g, node, dy, needs);
  node.inputs.forEach((value, i) => {
    const contribution = dx[i];
    if (!value || !contribution || !needs[i]) return;
    const sum = cotangents.get(value);
    cotangents.set(value, sum ? g.add(sum, contribution) : contribution);
  });
}

/** Values that depend on one of `sources`, the sources included. */
function dependents(graph: Graph, sources: ReadonlySet<Value>, stopAt: ReadonlySet<Value>): Set<Value> {
  const found = new Set<Value>(sources);
  for (const node of graph.nodes) {
    if (!readsOf(node).some((value) => found.has(value) && !stopAt.has(value))) continue;
    for (const output of node.outputs) if (output) found.add(output);
  }
  return found;
}

function ones(g: GradientBuilder, of: Value): Value {
  const dims = g.dims(of);
  if (dims.some((dim) => dim !== 1)) {
    throw new UsageError("only a single number can be differentiated without a seed", {
      expected: "a scalar loss",
      got: `[${dims.join(", ")}]`,
      where: `value "${of.name}"`,
    });
  }
  const one = g.number(of, 1);
  return dims.length === 0 ? one : g.op("Reshape", [one, g.ints(dims.map(() => 1))]);
}

function denseIn(initializers: Graph["initializers"], value: Value | undefined) {
  const data = value && initializers.get(value);
  return data && "dtype" in data ? data : undefined;
}

function nothingToDo(of: Value, wrt: readonly Value[]): UsageError {
  return new UsageError("the output depends on none of the values", {
    got: wrt.map(({ name }) => name).join(", ") || "no value",
    where: `value "${of.name}"`,
  });
}

function unknownOperator(node: Node): UnsupportedError {
  return new UnsupportedError(`no gradient is known for ${qualifiedName(node)}`, {
    where: describeNode(node),
    hint: "Stop the gradient before it, or choose an output that does not depend on it.",
  });
}

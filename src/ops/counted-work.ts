/** @file A model that counts, while it runs, how often its branches and bodies ran and how much the data gave its nodes to do. */
import {
  type Graph,
  graphAttribute,
  graphOf,
  int64s,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  tensorType,
  type Value,
  withGraph,
} from "../ir/index.ts";
import { checkOptions } from "../options.ts";
import { type CostOptions, costOptionsNames } from "./costs.ts";
import { type Counts, planCounts } from "./work-counts.ts";

/** A model that counts its own work. */
export interface CountedWork {
  /** The model with the counts of a run as its only output, int64 [each.length]; absent where every run does `fixed`. */
  readonly model?: Model;
  /** Multiply-accumulates of every run. */
  readonly fixed: number;
  /** Multiply-accumulates that each count stands for. */
  readonly each: readonly number[];
  /** Nodes whose work is not counted: it does not grow as their output does, or they stand where nothing can be counted. */
  readonly uncounted: readonly Node[];
}

/**
 * The model as one that counts its own work instead of answering. Every branch and every body adds 1 when it runs, and every node whose
 * work depends on lengths that the data decide adds the elements of its output. `options` are those of `costOf`: dims that the runs will
 * have.
 */
export function countWork(model: Model, options: CostOptions = {}): CountedWork {
  const counts = planCounts(model, checkOptions(options, costOptionsNames));
  const { fixed, each, uncounted } = counts;
  if (each.length === 0) return { fixed, each, uncounted };
  const { graph, total } = counting(model.graph, { counts, names: namesOf(model) });
  return { model: withGraph(model, { ...graph, outputs: [total!] }), fixed, each, uncounted };
}

interface Builder {
  readonly counts: Counts;
  readonly names: Names;
}

/** A graph that counts, and the value of its counts; none where there is nothing to count in it. */
interface Counting {
  readonly graph: Graph;
  readonly total: Value | undefined;
}

function counting(graph: Graph, builder: Builder): Counting {
  const { counts } = builder;
  if (!counts.counts(graph)) return { graph, total: undefined };
  const nodes: Node[] = [];
  const terms: Value[] = [];
  const own = counts.ofGraph(graph);
  if (own !== undefined) terms.push(constant(nodes, builder, own));
  for (const node of graph.nodes) {
    const { next, total } = countingNode(node, nodes, builder);
    nodes.push(next);
    if (total) terms.push(total);
    const slot = counts.ofNode(node);
    if (slot !== undefined) terms.push(elements(node, slot, nodes, builder));
  }
  const total = terms.reduce((a, b) => op("Add", [a, b], nodes, builder));
  return { graph: { ...graph, nodes }, total };
}

function countingNode(node: Node, nodes: Node[], builder: Builder): { next: Node; total?: Value } {
  const { counts } = builder;
  if (!counts.isWatched(node)) return { next: node };
  const total = fresh(builder);
  if (node.opType === "If") return { next: countingBranches(node, total, builder), total };
  const state = node.opType === "Loop" ? 2 : 0;
  const zeros = constant(nodes, builder);
  const body = countingBody(graphOf(node, "body")!, node.opType === "Loop", builder);
  const inputs = [...node.inputs.slice(0, state), zeros, ...node.inputs.slice(state)];
  while (inputs.length < state) inputs.push(undefined);
  const attributes = new Map(node.attributes).set("body", graphAttribute(body));
  return { next: { ...node, inputs, outputs: [total, ...node.outputs], attributes }, total };
}

function countingBranches(node: Node, total: Value, builder: Builder): Node {
  const attributes = new Map(node.attributes);
  for (const name of ["then_branch", "else_branch"]) {
    const made = counting(graphOf(node, name)!, builder);
    const nodes = [...made.graph.nodes];
    const own = made.total ?? constant(nodes, builder);
    attributes.set(name, graphAttribute({ ...made.graph, nodes, outputs: [...made.graph.outputs, own] }));
  }
  return { ...node, outputs: [...node.outputs, total], attributes };
}

/** The body with the counts so far as its first state. */
function countingBody(body: Graph, isLoop: boolean, builder: Builder): Graph {
  const { graph, total } = counting(body, builder);
  const before = fresh(builder);
  const nodes = [...graph.nodes];
  const after = op("Add", [before, total!], nodes, builder);
  return {
    ...graph,
    nodes,
    inputs: graph.inputs.toSpliced(isLoop ? 2 : 0, 0, before),
    outputs: graph.outputs.toSpliced(isLoop ? 1 : 0, 0, after),
  };
}

/** The elements of the node's output, in their place among the counts. */
function elements(node: Node, slot: number, nodes: Node[], builder: Builder): Value {
  const size: Value = { name: builder.names.fresh("work/size"), type: tensorType("int64", []) };
  nodes.push(makeNode("Size", [node.outputs[0]], [size], { name: size.name }));
  return op("Mul", [constant(nodes, builder, slot), size], nodes, builder);
}

/** Zeros with a 1 in this place, if any. */
function constant(nodes: Node[], builder: Builder, slot?: number): Value {
  const value = fresh(builder);
  const numbers = builder.counts.each.map((_, i) => (i === slot ? 1 : 0));
  nodes.push(makeNode("Constant", [], [value], { name: value.name, attributes: { value: int64s(numbers) } }));
  return value;
}

function op(opType: "Add" | "Mul", inputs: readonly Value[], nodes: Node[], builder: Builder): Value {
  const value = fresh(builder);
  nodes.push(makeNode(opType, inputs, [value], { name: value.name }));
  return value;
}

function fresh({ names, counts }: Builder): Value {
  return { name: names.fresh("work/counts"), type: tensorType("int64", [counts.each.length]) };
}

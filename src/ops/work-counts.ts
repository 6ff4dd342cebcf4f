/** @file What is to be counted in a model to know its work: which graphs run how often, and which nodes get how much to do. */
import {
  type Dim,
  elementCount,
  type Graph,
  graphOf,
  type Model,
  type Node,
  opsetOf,
  subgraphsOf,
  type ValueType,
} from "../ir/index.ts";
import { boundSymbols, type CostOptions, costWith } from "./costs.ts";
import { asTensor } from "./dims.ts";
import { type Inference, inferWith, isMisfit } from "./infer.ts";
import type { TypedNode } from "./spec.ts";
import { specOf } from "./spec-of.ts";

/** Places among the counts. */
export interface Counts {
  /** Multiply-accumulates of the main graph's nodes, as far as they are known. */
  readonly fixed: number;
  /** Multiply-accumulates that each count stands for. */
  readonly each: readonly number[];
  readonly uncounted: readonly Node[];
  /** The place of a graph's runs; none when nothing in it works by itself. */
  ofGraph(graph: Graph): number | undefined;
  /** The place of the elements of a node's output. */
  ofNode(node: Node): number | undefined;
  /** Whether something in the graph is counted. */
  counts(graph: Graph): boolean;
  /** Whether something within the node's graphs is counted. */
  isWatched(node: Node): boolean;
}

interface Plan {
  readonly inference: Inference;
  readonly macs: ReadonlyMap<Node, number | undefined>;
  readonly opset: number;
  readonly each: number[];
  readonly uncounted: Node[];
  readonly graphs: Map<Graph, number>;
  readonly nodes: Map<Node, number>;
  readonly busy: Set<Graph | Node>;
}

export function planCounts(model: Model, options: CostOptions): Counts {
  const { dims = new Map(), feeds = new Map() } = options;
  const inference = inferWith(specOf, model, { feeds, symbols: boundSymbols(model, dims, feeds) });
  const plan: Plan = {
    inference,
    macs: new Map(costWith(model, inference).byNode.map(({ node, macs }) => [node, macs])),
    opset: opsetOf(model),
    each: [],
    uncounted: [],
    graphs: new Map(),
    nodes: new Map(),
    busy: new Set(),
  };
  planNodes(model.graph, plan);
  return {
    fixed: knownWork(model.graph, plan),
    each: plan.each,
    uncounted: plan.uncounted,
    ofGraph: (graph) => plan.graphs.get(graph),
    ofNode: (node) => plan.nodes.get(node),
    counts: (graph) => plan.busy.has(graph),
    isWatched: (node) => plan.busy.has(node),
  };
}

function planNodes(graph: Graph, plan: Plan): void {
  const before = plan.each.length;
  for (const node of graph.nodes) planNode(node, plan);
  if (plan.each.length > before || plan.graphs.has(graph)) plan.busy.add(graph);
}

function planNode(node: Node, plan: Plan): void {
  const { inference, macs, nodes, each, uncounted, busy } = plan;
  if (!inference.reached(node)) return;
  if (macs.get(node) === undefined) {
    const perElement = workPerElement(node, inference);
    if (perElement === undefined) uncounted.push(node);
    else nodes.set(node, each.push(perElement) - 1);
  }
  const before = each.length;
  const inner = innerGraphs(node, plan);
  if (inner) for (const graph of inner) planRuns(graph, plan);
  else for (const graph of subgraphsOf(node)) leaveOut(graph, plan);
  if (each.length > before) busy.add(node);
}

function planRuns(graph: Graph, plan: Plan): void {
  const work = knownWork(graph, plan);
  if (work > 0) plan.graphs.set(graph, plan.each.push(work) - 1);
  planNodes(graph, plan);
}

/** The graphs of a node in which runs can be counted. */
function innerGraphs(node: Node, { opset }: Plan): Graph[] | undefined {
  if (node.domain !== "") return undefined;
  const names = { If: ["then_branch", "else_branch"], Loop: ["body"], Scan: opset < 9 ? undefined : ["body"] };
  const found = (names as Readonly<Record<string, readonly string[] | undefined>>)[node.opType];
  const graphs = found?.map((name) => graphOf(node, name));
  return graphs?.every((graph) => graph !== undefined) ? graphs : undefined;
}

function leaveOut(graph: Graph, plan: Plan): void {
  for (const node of graph.nodes) {
    if (plan.inference.reached(node) && plan.macs.get(node) !== 0) plan.uncounted.push(node);
    for (const inner of subgraphsOf(node)) leaveOut(inner, plan);
  }
}

function knownWork({ nodes }: Graph, { macs }: Plan): number {
  return nodes.reduce((sum, node) => sum + (macs.get(node) ?? 0), 0);
}

/** Multiply-accumulates for each element of the node's output, where they are as many whatever the unknown lengths are. */
function workPerElement(node: Node, inference: Inference): number | undefined {
  const facts = inference.facts(node);
  const [a, b] = [2, 3].map((length) => workWith(facts, length));
  return a !== undefined && b !== undefined && Math.abs(a - b) <= 1e-9 * a ? a : undefined;
}

/** The same with one length for all that are not known. */
function workWith(facts: TypedNode, length: number): number | undefined {
  const filled: TypedNode = {
    ...facts,
    input: (i) => withLength(facts.input(i), length),
    output: (i) => withLength(facts.output(i), length),
  };
  const dims = asTensor(filled.output(0))?.dims;
  const count = dims && elementCount(dims);
  const macs = costIn(filled);
  return count && macs !== undefined ? macs / count : undefined;
}

function costIn(facts: TypedNode): number | undefined {
  try {
    return specOf(facts.node)?.cost(facts)?.macs;
  } catch (error) {
    if (isMisfit(error)) return undefined;
    throw error;
  }
}

function withLength(type: ValueType | undefined, length: number): ValueType | undefined {
  const tensor = asTensor(type);
  const fill = (dim: Dim): Dim => (typeof dim === "number" ? dim : length);
  return tensor?.dims ? { ...tensor, dims: tensor.dims.map(fill) } : type;
}

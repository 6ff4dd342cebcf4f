/** @file A network as a row of nodes, and its pieces: what each computes, takes over and hands on. */
import { must, nth } from "../../checked.ts";
import {
  byteLength,
  dataTypes,
  elementCount,
  type Graph,
  isConstantNode,
  isSparse,
  type Model,
  type Node,
  readsOf,
  storedWeights,
  type Value,
} from "../../ir/index.ts";
import { type CostByNode, costOf, inferShapes } from "../../ops/index.ts";
import { balancedCuts } from "./balanced-cuts.ts";

/** Nodes in a row, each computed when those before it are; `Constant`s are in no row. */
export interface NodeRow {
  /** Every value has its type. */
  readonly model: Model;
  readonly nodes: readonly Node[];
  /** By node. */
  readonly costs: readonly CostByNode[];
  /** By position from 0 to the number of nodes, what is made before it and read behind it. */
  readonly crossing: readonly (readonly Value[])[];
  /** By position, bytes of these, of one sample. */
  readonly crossingBytes: readonly number[];
  /** By node, whether it reads weights. */
  readonly hasWeights: readonly boolean[];
}

/** Which of the nodes a stage computes: from `first` on, before `end`. */
export interface StageRange {
  readonly first: number;
  readonly end: number;
}

/** The row of a model. Weights in `Constant` nodes count as initializers. */
export function rowOf(given: Model): NodeRow {
  const model = inferShapes(storedWeights(given));
  const { graph } = model;
  const nodes = graph.nodes.filter((node) => !isConstantNode(node));
  const byNode = new Map(costOf(model).byNode.map((cost) => [cost.node, cost]));
  const costs = nodes.map((node) => must(byNode, node));
  const crossing = crossingsOf(graph, nodes);
  return {
    model,
    nodes,
    costs,
    crossing,
    crossingBytes: crossing.map((values) => values.reduce((sum, value) => sum + sampleBytes(value), 0)),
    hasWeights: nodes.map((node) => node.inputs.some((value) => value !== undefined && isWeight(graph, value))),
  };
}

function isWeight({ initializers }: Graph, value: Value): boolean {
  const data = initializers.get(value);
  return data !== undefined && !isSparse(data) && dataTypes[data.dtype].kind === "float" && data.dims.length > 0;
}

function crossingsOf(graph: Graph, nodes: readonly Node[]): Value[][] {
  const last = new Map<Value, number>();
  nodes.forEach((node, i) => {
    for (const value of readsOf(node)) last.set(value, i);
  });
  for (const value of graph.outputs) last.set(value, nodes.length);
  const crossing: Value[][] = [[]];
  let open: Value[] = [];
  nodes.forEach((node, i) => {
    const made = node.outputs.filter((value) => value !== undefined);
    open = [...open, ...made].filter((value) => (last.get(value) ?? 0) > i);
    crossing.push(open);
  });
  return crossing;
}

/** Bytes of a value for one sample. A length that is not known counts as 1. */
export function sampleBytes({ type }: Value): number {
  if (type?.kind !== "tensor" || !type.dims) return 0;
  return byteLength(type.dtype, elementCount(type.dims.map((dim) => (typeof dim === "number" ? dim : 1))) ?? 0);
}

/** Multiply-accumulates that take as long as sending a byte. */
const MACS_PER_BYTE = 10;

/** Multiply-accumulates and elementwise operations. */
const workOf = ({ macs = 0, elementwise = 0 }: CostByNode): number => macs + elementwise;

/** The stages whose dearest costs least: what its nodes cost, and what crosses its ends. */
export function balancedStages(
  row: NodeRow,
  stages: number,
  costs: readonly number[] = row.costs.map(workOf),
  costPerByte = MACS_PER_BYTE,
): StageRange[] {
  const boundaries = row.crossingBytes.map((bytes, i) => (i < row.nodes.length ? costPerByte * bytes : 0));
  const cuts = balancedCuts({ costs, boundaries, needed: row.hasWeights }, stages);
  const ends = [0, ...cuts, row.nodes.length];
  return Array.from({ length: stages }, (_, i) => ({ first: nth(ends, i), end: nth(ends, i + 1) }));
}

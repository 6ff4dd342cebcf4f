/** @file The cost of a whole model: multiply-accumulates, parameters and bytes, in all and by node. */
import {
  allGraphs,
  byteLength,
  type DataType,
  dataTypes,
  elementCount,
  type Graph,
  type Initializer,
  isSparse,
  literalOf,
  type Model,
  type Node,
  qualifiedName,
  sizeOf,
  UNKNOWN_DIM,
  type Value,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { asTensor } from "./dims.ts";
import { type Inference, isMisfit } from "./infer.ts";
import { inferModel } from "./model.ts";
import type { Cost } from "./spec.ts";
import { specOf } from "./spec-of.ts";

export interface CostOptions {
  /** Lengths of symbolic dims by name. A symbolic first axis of a graph input is 1 unless it is named here. */
  readonly dims?: ReadonlyMap<string, number>;
  /** Dims of graph inputs by name, in the place of the declared ones. */
  readonly feeds?: ReadonlyMap<string, readonly number[]>;
}

export interface CostByNode {
  readonly node: Node;
  /** Qualified: `Conv`, `com.microsoft::MatMulNBits`. */
  readonly opType: string;
  /** Multiply-accumulates of one run; `undefined` when they depend on a dim that is not known. */
  readonly macs: number | undefined;
  /** Elementwise and reducing operations of one run. */
  readonly elementwise: number | undefined;
  /** Parameters that this node reads; one that several nodes read counts for the first of them. */
  readonly params: number;
  /** Elements of running means and variances. */
  readonly statistics: number;
  /** Bytes of these parameters, and of the other tensors that the node reads and writes. */
  readonly bytes: { readonly weights: number; readonly activations: number | undefined };
}

export interface ModelCost {
  readonly macs: number;
  readonly elementwise: number;
  /** Elements of the weights, quantized ones included. Scales, zero points, scalars and integers are none. */
  readonly params: number;
  /** Elements of running means and variances, which are not among the parameters. */
  readonly statistics: number;
  readonly bytes: {
    /** All initializers and constants, as they are stored. */
    readonly weights: number;
    /** Activations read and written, summed over the nodes whose types are known. */
    readonly activations: number;
  };
  readonly byNode: readonly CostByNode[];
  /** Nodes whose multiply-accumulates are not known; the totals leave them out. */
  readonly unknown: readonly Node[];
}

export const costOptionsNames: OptionNames<CostOptions> = { dims: true, feeds: true };

/**
 * Cost of one run. Bodies of loops count once, of the branches of a conditional each counts
 * that can be taken. Multiply-accumulates are
 * those of convolutions, matrix products, attention and recurrent layers, without biases.
 */
export function costOf(model: Model, options: CostOptions = {}): ModelCost {
  const { dims = new Map(), feeds = new Map() } = checkOptions(options, costOptionsNames);
  return costWith(model, inferModel(model, { feeds, symbols: boundSymbols(model, dims, feeds) }));
}

/** The cost of a model of which this is known. */
export function costWith(model: Model, inference: Inference): ModelCost {
  const constants = constantsOf(model);
  const params = parameterOwners(model, constants);
  const byNode: CostByNode[] = [];
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) byNode.push(costOfNode(node, inference, constants, params));
  }
  const total = (pick: (item: CostByNode) => number | undefined): number =>
    byNode.reduce((sum, item) => sum + (pick(item) ?? 0), 0);
  return {
    macs: total((item) => item.macs),
    elementwise: total((item) => item.elementwise),
    params: total((item) => item.params),
    statistics: total((item) => item.statistics),
    bytes: {
      weights: [...constants.values()].reduce((sum, data) => sum + bytesOf(data), 0),
      activations: total((item) => item.bytes.activations),
    },
    byNode,
    unknown: byNode.filter(({ macs }) => macs === undefined).map(({ node }) => node),
  };
}

/** A symbolic batch (the first axis of an input) is 1 unless the caller says otherwise. */
export function boundSymbols(
  model: Model,
  dims: ReadonlyMap<string, number>,
  feeds: ReadonlyMap<string, readonly number[]>,
): Map<string, number> {
  const bound = new Map<string, number>();
  const fed = new Set(
    model.graph.inputs.flatMap(({ name, type }) => (feeds.has(name) ? (asTensor(type)?.dims ?? []) : [])),
  );
  for (const { type } of model.graph.inputs) {
    const batch = asTensor(type)?.dims?.[0];
    if (typeof batch === "string" && batch !== UNKNOWN_DIM && !fed.has(batch)) bound.set(batch, 1);
  }
  for (const [name, length] of dims) bound.set(name, length);
  return bound;
}

/** Every initializer and every `Constant` node's tensor. */
function constantsOf(model: Model): Map<Value, Initializer> {
  const found = new Map<Value, Initializer>();
  for (const graph of allGraphs(model.graph)) collectConstants(graph, found);
  return found;
}

function collectConstants(graph: Graph, found: Map<Value, Initializer>): void {
  for (const [value, data] of graph.initializers) found.set(value, data);
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const data = literalOf(node) ?? sparseLiteral(node);
    if (data && output) found.set(output, data);
  }
}

function sparseLiteral({ opType, attributes }: Node): Initializer | undefined {
  const held = opType === "Constant" ? attributes.get("sparse_value") : undefined;
  return held?.type === "sparse-tensor" ? held.value : undefined;
}

/** Counts that one node owns. */
interface Owned {
  params: number;
  statistics: number;
  bytes: number;
}

/** Parameters by the node that reads them first. */
function parameterOwners(model: Model, constants: ReadonlyMap<Value, Initializer>): Map<Node, Owned> {
  const counted = new Set<Value>();
  const owners = new Map<Node, Owned>();
  for (const graph of allGraphs(model.graph)) {
    for (const node of graph.nodes) {
      const owned: Owned = { params: 0, statistics: 0, bytes: 0 };
      for (const [i, value] of node.inputs.entries()) {
        const data = value && constants.get(value);
        if (!data || counted.has(value)) continue;
        const role = roleOf(node, i, data);
        if (!role) continue;
        counted.add(value);
        owned[role] += specOf(node)?.weights?.packed?.(node, i) ?? sizeOf(data.dims);
        owned.bytes += bytesOf(data);
      }
      if (owned.bytes > 0) owners.set(node, owned);
    }
  }
  return owners;
}

/** Scalars are constants of the computation, not parameters of the model. */
function roleOf(node: Node, input: number, data: Initializer): "params" | "statistics" | undefined {
  const { quantized, settings, statistics } = specOf(node)?.weights ?? {};
  if (settings?.includes(input) || data.dims.length === 0) return undefined;
  if (statistics?.includes(input)) return "statistics";
  const { kind } = dataTypes[dtypeOf(data)];
  return kind === "float" || kind === "complex" || quantized?.includes(input) ? "params" : undefined;
}

function dtypeOf(data: Initializer): DataType {
  return isSparse(data) ? data.values.dtype : data.dtype;
}

function bytesOf(data: Initializer): number {
  if (isSparse(data)) return bytesOf(data.values) + bytesOf(data.indices);
  if (data.dtype !== "string") return byteLength(data.dtype, sizeOf(data.dims));
  return Array.isArray(data.data) ? data.data.reduce((sum: number, item: Uint8Array) => sum + item.length, 0) : 0;
}

function costOfNode(
  node: Node,
  inference: Inference,
  constants: ReadonlyMap<Value, Initializer>,
  owners: ReadonlyMap<Node, Owned>,
): CostByNode {
  const cost = inference.reached(node) ? costIn(node, inference) : { macs: 0, elementwise: 0 };
  const owned = owners.get(node);
  return {
    node,
    opType: qualifiedName(node),
    macs: cost?.macs,
    elementwise: cost?.elementwise,
    params: owned?.params ?? 0,
    statistics: owned?.statistics ?? 0,
    bytes: { weights: owned?.bytes ?? 0, activations: activationBytes(node, inference, constants) },
  };
}

function costIn(node: Node, inference: Inference): Cost | undefined {
  try {
    return specOf(node)?.cost(inference.facts(node));
  } catch (error) {
    if (isMisfit(error)) return undefined;
    throw error;
  }
}

/** Bytes of the tensors that a node reads and writes, its constants aside. */
function activationBytes(
  node: Node,
  { types }: Inference,
  constants: ReadonlyMap<Value, Initializer>,
): number | undefined {
  let total = 0;
  for (const value of [...node.inputs, ...node.outputs]) {
    if (!value || constants.has(value)) continue;
    const type = asTensor(types.get(value));
    const count = type?.dims && elementCount(type.dims);
    if (!type || count === undefined) return undefined;
    total += type.dtype === "string" ? 0 : byteLength(type.dtype, count);
  }
  return total;
}

/** @file Feed-forward blocks found by structure: linear, element-wise activation, linear. Names play no part. */
import { nth } from "../../../checked.ts";
import {
  constantOf,
  floatOf,
  type Graph,
  intOf,
  type Node,
  numbersOf,
  soleConsumer,
  type Tensor,
  usesOf,
  type Value,
} from "../../../ir/index.ts";

/** y = x·W + b. */
export interface LinearLayer {
  readonly input: Value;
  readonly output: Value;
  readonly nodes: readonly Node[];
  readonly fanIn: number;
  readonly fanOut: number;
  /** W by rows, [fanIn, fanOut]. */
  readonly weight: Float64Array;
  readonly bias?: Float64Array;
}

export interface FeedForward {
  readonly first: LinearLayer;
  /** Nodes of the activation, in their order. */
  readonly activation: readonly Node[];
  /** What the second layer reads. */
  readonly hidden: Value;
  readonly second: LinearLayer;
}

/** Blocks in the order of the graph, none of which shares a node with another. */
export function feedForwards(graph: Graph): FeedForward[] {
  const taken = new Set<Node>();
  const found: FeedForward[] = [];
  for (const node of graph.nodes) {
    const block = taken.has(node) ? undefined : blockFrom(graph, node);
    if (!block) continue;
    found.push(block);
    for (const member of nodesOf(block)) taken.add(member);
  }
  return found;
}

export function nodesOf({ first, activation, second }: FeedForward): Node[] {
  return [...first.nodes, ...activation, ...second.nodes];
}

function blockFrom(graph: Graph, node: Node): FeedForward | undefined {
  const first = linearAt(graph, node);
  if (!first || isVector(first.input)) return undefined;
  const region = activationFrom(graph, first.output);
  const second = region && linearAt(graph, region.reader);
  if (!region || second?.input !== region.hidden || second.fanIn !== first.fanOut) return undefined;
  return { first, activation: region.nodes, hidden: region.hidden, second };
}

/** A single token without an axis of tokens. */
function isVector({ type }: Value): boolean {
  return type?.kind === "tensor" && type.dims?.length === 1;
}

/** MatMul with a constant matrix and the Add of a constant row behind it, or a Gemm. */
function linearAt(graph: Graph, node: Node): LinearLayer | undefined {
  if (node.domain !== "") return undefined;
  if (node.opType === "Gemm") return gemmAt(graph, node);
  const weight = node.opType === "MatMul" ? matrixOf(graph, node.inputs[1]) : undefined;
  const [input] = node.inputs;
  const [output] = node.outputs;
  if (!weight || !input || !output || constantOf(graph, input)) return undefined;
  const [fanIn, fanOut] = weight.dims as [number, number];
  const layer = { input, output, nodes: [node], fanIn, fanOut, weight: numbersOf(weight) };
  const added = soleConsumer(graph, output);
  const bias = added && biasAdded(graph, added, output, fanOut);
  return bias ? { ...layer, bias, output: nth(added.outputs, 0), nodes: [node, added] } : layer;
}

function gemmAt(graph: Graph, node: Node): LinearLayer | undefined {
  const [input, matrix, row] = node.inputs;
  const weight = matrixOf(graph, matrix);
  const isPlain = [floatOf(node, "alpha", 1), floatOf(node, "beta", 1)].every((factor) => factor === 1);
  if (!weight || !input || !isPlain || intOf(node, "transA", 0) !== 0 || constantOf(graph, input)) return undefined;
  const isTurned = intOf(node, "transB", 0) !== 0;
  const [rows, columns] = weight.dims as [number, number];
  const values = isTurned ? transposed(numbersOf(weight), rows, columns) : numbersOf(weight);
  const [fanIn, fanOut] = isTurned ? [columns, rows] : [rows, columns];
  const layer = { input, output: nth(node.outputs, 0), nodes: [node], fanIn, fanOut, weight: values };
  if (!row) return layer;
  const bias = rowOf(constantOf(graph, row), fanOut);
  return bias && { ...layer, bias };
}

function matrixOf(graph: Graph, value: Value | undefined): Tensor | undefined {
  const matrix = constantOf(graph, value);
  return matrix?.dtype === "float32" && matrix.dims.length === 2 ? matrix : undefined;
}

function biasAdded(graph: Graph, node: Node, product: Value, width: number): Float64Array | undefined {
  if (node.opType !== "Add" || node.domain !== "") return undefined;
  const other = node.inputs.find((value) => value !== product);
  return rowOf(constantOf(graph, other), width);
}

/** One number per column, or one for all. */
function rowOf(data: Tensor | undefined, width: number): Float64Array | undefined {
  if (data?.dtype !== "float32" || data.dims.slice(0, -1).some((dim) => dim !== 1)) return undefined;
  const values = numbersOf(data);
  if (values.length === width) return values;
  return values.length === 1 ? new Float64Array(width).fill(values[0]!) : undefined;
}

function transposed(values: Float64Array, rows: number, columns: number): Float64Array {
  return new Float64Array(values.length).map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]!);
}

interface Region {
  readonly nodes: readonly Node[];
  readonly hidden: Value;
  /** The one node that reads what the region makes. */
  readonly reader: Node;
}

/** Operators that are no activation alone but parts of one, such as x · (1 + erf(x / √2)) / 2. */
const arithmetic: ReadonlySet<string> = new Set(["Add", "Div", "Identity", "Mul", "Neg", "Sub"]);

const activations: ReadonlySet<string> = new Set([
  ...[
    "Abs",
    "Celu",
    "Clip",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "HardSigmoid",
    "HardSwish",
    "LeakyRelu",
    "Max",
    "Min",
    "Mish",
  ],
  ...["Pow", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Sqrt", "Tanh", "ThresholdedRelu"],
]);

/** Nodes that an activation may consist of; tanh approximations of Gelu take nine. */
const LARGEST = 32;

/** All that is made of `start` and of single numbers, element by element, when one node alone reads the end of it. */
function activationFrom(graph: Graph, start: Value): Region | undefined {
  const made = new Set([start]);
  const members = new Set<Node>();
  const readers = new Set<Node>();
  for (const value of made) {
    if (graph.outputs.includes(value)) return undefined;
    for (const { node } of usesOf(graph, value)) {
      if (!node) return undefined;
      const end = isElementwise(node) ? node.outputs[0] : undefined;
      (end ? members : readers).add(node);
      if (end) made.add(end);
    }
    if (members.size > LARGEST || readers.size > 1) return undefined;
  }
  const [reader] = readers;
  const hidden = reader?.inputs[0];
  const nodes = graph.nodes.filter((node) => members.has(node));
  const isClosed = nodes.every(({ inputs }) => inputs.every((v) => !v || made.has(v) || isNumber(graph, v)));
  const isActive = nodes.some(({ opType }) => activations.has(opType));
  return reader && hidden && made.has(hidden) && isClosed && isActive ? { nodes, hidden, reader } : undefined;
}

function isElementwise({ opType, domain, outputs }: Node): boolean {
  return domain === "" && outputs.length === 1 && (activations.has(opType) || arithmetic.has(opType));
}

function isNumber(graph: Graph, value: Value): boolean {
  const data = constantOf(graph, value);
  return data !== undefined && data.dims.length <= 2 && data.dims.every((dim) => dim === 1);
}

/** @file Nodes with weights, seen as matrices: `y = W x` per group, one row for each output channel. */
import { nth } from "../checked.ts";
import { type ConstantLookup, floatOf, type Graph, intOf, type Node, type Tensor, type Value } from "../ir/index.ts";
import { weightsIn } from "./weights.ts";

export interface Layer {
  readonly node: Node;
  readonly input: Value;
  readonly weight: Value;
  readonly weightTensor: Tensor;
  readonly bias: Value | undefined;
  readonly biasTensor: Tensor | undefined;
  /** Output channels, over all groups. */
  readonly rows: number;
  /** Inputs of one output. */
  readonly columns: number;
  readonly groups: number;
  /** The axis of the weight tensor that is the output channel. */
  readonly channelAxis: number;
  /** Flat position in the weight tensor. */
  position(row: number, column: number): number;
}

/** Why a node is not a layer that can be quantized. */
export interface NotALayer {
  readonly reason: string;
}

type LayerRule = (node: Node, weight: Tensor) => Omit<Layer, CommonFields> | NotALayer;
type CommonFields = "node" | "input" | "weight" | "weightTensor" | "bias" | "biasTensor";

const rules = new Map<string, LayerRule>([
  ["Conv", conv],
  ["Gemm", gemm],
  ["MatMul", matMul],
]);

/** Operators that have a weight matrix and an integer kernel. */
export const weightedOperators: ReadonlySet<string> = new Set(rules.keys());

const recurrentOperators: ReadonlySet<string> = new Set(["LSTM", "GRU", "RNN"]);

/** Whether a node computes with weights, so that a report has to speak of it: also mixtures in one node, which no form takes. */
export function isWeighted(node: Node): boolean {
  return (isStandard(node) && weightedOperators.has(node.opType)) || isRecurrent(node) || isMixture(node);
}

export function isLstm(node: Node): boolean {
  return isStandard(node) && node.opType === "LSTM";
}

export function isRecurrent(node: Node): boolean {
  return isStandard(node) && recurrentOperators.has(node.opType);
}

function isStandard({ domain }: Node): boolean {
  return domain === "" || domain === "ai.onnx";
}

function isMixture({ domain, opType }: Node): boolean {
  return domain === "com.microsoft" && opType === "MoE";
}

/** The node of `graph` as a matrix, or the reason why it has none; weights may stand behind views of constants. */
export function layerOf(graph: Graph, node: Node): Layer | NotALayer {
  return layerAmong(weightsIn(graph), node);
}

/** `layerOf` for a node in any graph. */
export function layerAmong(constant: ConstantLookup, node: Node): Layer | NotALayer {
  const rule = isStandard(node) ? rules.get(node.opType) : undefined;
  if (isMixture(node))
    return { reason: "experts inside of one operator stay; another dispatch has a form in integers" };
  if (isRecurrent(node)) return { reason: "a recurrent layer has no kernel on integers of known ranges" };
  if (!rule) return { reason: "has no weights" };
  const [input, weight, bias] = node.inputs;
  const weightTensor = constant(weight);
  if (!input || !weight || !weightTensor) return { reason: "its weight is not a constant" };
  if (weightTensor.dtype !== "float32") return { reason: `its weight is ${weightTensor.dtype}, not float32` };
  const biasTensor = constant(bias);
  if (bias && biasTensor?.dtype !== "float32") return { reason: "its bias is not a float32 constant" };
  if (constant(input)) return { reason: "its input is a constant" };
  if (node.outputs.length !== 1) return { reason: "it has not one output" };
  const matrix = rule(node, weightTensor);
  if ("reason" in matrix) return matrix;
  if (!(matrix.rows > 0 && matrix.columns > 0)) return { reason: "its weight has no elements" };
  if (!(matrix.groups > 0 && Number.isInteger(matrix.rows / matrix.groups))) {
    return { reason: "its groups do not divide its output channels" };
  }
  if (bias && biasTensor?.dims.reduce((a, b) => a * b, 1) !== matrix.rows) {
    return { reason: "its bias is not one number for each output channel" };
  }
  return { node, input, weight, weightTensor, bias, biasTensor, ...matrix };
}

export function isLayer(candidate: Layer | NotALayer): candidate is Layer {
  return !("reason" in candidate);
}

/** Rows `first … first + count` of the layer's matrix, one after another, in the order in which memory is read fastest. */
export function rowsOf(layer: Layer, weights: Float32Array, first: number, count: number): Float32Array {
  const { rows, columns, groups, channelAxis, position } = layer;
  if (channelAxis === 0) return weights.subarray(first * columns, (first + count) * columns);
  const matrix = new Float32Array(count * columns);
  const own = rows / groups;
  for (let start = 0; start < count; ) {
    const row = first + start;
    const end = Math.min(count, start + own - (row % own));
    for (let column = 0; column < columns; column++) {
      const from = position(row, column) - start;
      for (let i = start; i < end; i++) matrix[i * columns + column] = weights[from + i]!;
    }
    start = end;
  }
  return matrix;
}

/** How many rows are looked at together: few take little memory, some share the lines of the cache. */
export const ROWS = 64;

/** Weights, bias and positions are the same for all groups; a depthwise convolution has one row in each group. */
export function isDepthwise({ groups, rows }: Layer): boolean {
  return groups > 1 && rows === groups;
}

/** A product with a matrix for each place of the axes before the last two, as of stacked experts. */
export function isStacked({ node, weightTensor }: Layer): boolean {
  return node.opType === "MatMul" && weightTensor.dims.length > 2;
}

/** MatMul has no third input. */
export function canHaveBias({ node }: Layer): boolean {
  return node.opType !== "MatMul";
}

function conv(node: Node, { dims }: Tensor): ReturnType<LayerRule> {
  if (dims.length < 3) return { reason: "its weight has fewer than three axes" };
  const rows = nth(dims, 0);
  const columns = dims.slice(1).reduce((a, b) => a * b, 1);
  return {
    rows,
    columns,
    groups: intOf(node, "group", 1),
    channelAxis: 0,
    position: (row, column) => row * columns + column,
  };
}

function gemm(node: Node, { dims }: Tensor): ReturnType<LayerRule> {
  if (floatOf(node, "alpha", 1) !== 1 || floatOf(node, "beta", 1) !== 1) return { reason: "alpha or beta is not 1" };
  if (intOf(node, "transA", 0) !== 0) return { reason: "its input is transposed" };
  return matrix(dims, intOf(node, "transB", 0) === 0);
}

function matMul(_node: Node, { dims }: Tensor): ReturnType<LayerRule> {
  if (dims.length < 2) return { reason: "its weight is a vector" };
  return dims.length === 2 ? matrix(dims, true) : stacked(dims);
}

/** Matrices one upon another, [..., inputs, outputs]: each is a group. */
function stacked(dims: readonly number[]): Omit<Layer, CommonFields> {
  const [columns = 0, own = 0] = dims.slice(-2);
  const groups = dims.slice(0, -2).reduce((a, b) => a * b, 1);
  return {
    rows: groups * own,
    columns,
    groups,
    channelAxis: dims.length - 1,
    position: (row, column) => (Math.floor(row / own) * columns + column) * own + (row % own),
  };
}

function matrix(dims: readonly number[], columnsFirst: boolean): Omit<Layer, CommonFields> {
  const [first = 0, second = 0] = dims;
  if (!columnsFirst) {
    return {
      rows: first,
      columns: second,
      groups: 1,
      channelAxis: 0,
      position: (row, column) => row * second + column,
    };
  }
  return { rows: second, columns: first, groups: 1, channelAxis: 1, position: (row, column) => column * second + row };
}

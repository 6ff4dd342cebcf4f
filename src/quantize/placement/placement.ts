/** @file Where quantization goes: which nodes compute on integers, which values are quantized, which share parameters. */
import { isLayer, isWeighted, type Layer, layerOf, weightedOperators } from "../../calibration/index.ts";
import {
  constantOf,
  floatsOf,
  type Graph,
  indexOf,
  type Node,
  soleConsumer,
  usesOf,
  type Value,
} from "../../ir/index.ts";

/**
 * How ONNX Runtime computes an operator on integers.
 * - `shared`: values are moved, so input and output have the same parameters;
 * - `integer`: the same, and the operator itself runs between QuantizeLinear and DequantizeLinear, not around them;
 * - `arithmetic`: its own kernel, input and output have parameters of their own;
 * - `joined`: its own kernel, which copies when all inputs and the output have the same parameters.
 */
export type Kernel = "shared" | "integer" | "arithmetic" | "joined";

/** Operators besides those with weights that have an integer kernel in ONNX Runtime, and how many inputs are data. */
const kernels = new Map<string, { readonly kernel: Kernel; readonly data: number }>([
  ["MaxPool", { kernel: "shared", data: 1 }],
  ["Reshape", { kernel: "shared", data: 1 }],
  ["Flatten", { kernel: "shared", data: 1 }],
  ["Transpose", { kernel: "shared", data: 1 }],
  ["Squeeze", { kernel: "shared", data: 1 }],
  ["Unsqueeze", { kernel: "shared", data: 1 }],
  ["Slice", { kernel: "shared", data: 1 }],
  ["Gather", { kernel: "shared", data: 1 }],
  ["Pad", { kernel: "integer", data: 1 }],
  ["Add", { kernel: "arithmetic", data: 2 }],
  ["Mul", { kernel: "arithmetic", data: 2 }],
  ["AveragePool", { kernel: "arithmetic", data: 1 }],
  ["GlobalAveragePool", { kernel: "arithmetic", data: 1 }],
  ["Sigmoid", { kernel: "arithmetic", data: 1 }],
  ["LeakyRelu", { kernel: "arithmetic", data: 1 }],
  ["Concat", { kernel: "joined", data: Number.POSITIVE_INFINITY }],
]);

/** Activations that a clamp to the output's range does exactly, when zero is the lowest integer. */
const clamps = new Set(["Relu", "Clip"]);

export interface PlacementOptions {
  /** Nodes that stay in floats, by name or by a predicate; the reason appears in the report. */
  readonly float: (node: Node) => string | undefined;
  /** All inputs and the output of a Concat get the same parameters, so that it copies. */
  readonly shareConcat: boolean;
  /** A pooling or elementwise node after which only graph outputs follow stays in floats. */
  readonly floatTail: boolean;
  /** Whether the range's lower end is the type's lowest integer, so that clamping is exact. */
  readonly foldClamps: boolean;
}

export interface Placement {
  /** Nodes with weights that compute on integers. */
  readonly layers: ReadonlyMap<Node, Layer>;
  /** The other nodes that do. */
  readonly others: ReadonlyMap<Node, Kernel>;
  /** Activation nodes that disappear into the quantization of their output, by the node that makes their input. */
  readonly folded: ReadonlyMap<Node, Node>;
  /** Values that get QuantizeLinear and DequantizeLinear, in topological order. */
  readonly values: readonly Value[];
  /** The value whose parameters a value takes; itself for most. */
  representative(value: Value): Value;
  /** Every other node that has weights or a kernel, with the reason why it stays. */
  readonly skipped: ReadonlyMap<Node, string>;
}

/** Decides the placement; changes nothing. */
export function place(graph: Graph, options: PlacementOptions): Placement {
  const folded = options.foldClamps ? clampsIn(graph, options) : new Map<Node, Node>();
  const state = chooseNodes(graph, folded, options);
  const values = quantizedValues(graph, state);
  const sharing = unionFind<Value>();
  const known = new Set(values);
  const bounds = boundsOf(graph, state);
  for (const [node, kernel] of state.others) {
    const [output] = node.outputs;
    if (!output || kernel === "arithmetic" || (kernel === "joined" && !options.shareConcat)) continue;
    const inputs = dataInputs(node);
    if (new Set(inputs.map((input) => bounds.get(input))).size > 1) continue;
    for (const input of inputs) if (known.has(input) && known.has(output)) sharing.join(input, output);
  }
  return { ...state, values, representative: sharing.find };
}

/**
 * What the folded clamps keep values to: a number is an upper bound over zero. Values may only share parameters when they are clamped
 * alike, since the range of what is shared does the clamping.
 */
function boundsOf(graph: Graph, { others, folded }: Pick<Placement, "others" | "folded">): ReadonlyMap<Value, number> {
  const bounds = new Map<Value, number>();
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    if (!output) continue;
    const kernel = others.get(node);
    const inherited = new Set(dataInputs(node).map((input) => bounds.get(input)));
    const [only] = inherited;
    if (folded.has(node)) bounds.set(output, upperBound(graph, node));
    else if (kernel && kernel !== "arithmetic" && inherited.size === 1 && only !== undefined) bounds.set(output, only);
  }
  return bounds;
}

function upperBound(graph: Graph, node: Node): number {
  const high = node.opType === "Clip" ? constantOf(graph, node.inputs[2]) : undefined;
  return high ? floatsOf(high)[0]! : Infinity;
}

/** The inputs of a node that carry data, not shapes or axes. */
export function dataInputs(node: Node): Value[] {
  const data = weightedOperators.has(node.opType) ? 1 : (kernels.get(node.opType)?.data ?? 0);
  return node.inputs
    .slice(0, Math.min(data, node.inputs.length))
    .filter((value): value is Value => value !== undefined);
}

interface Chosen {
  readonly layers: Map<Node, Layer>;
  readonly others: Map<Node, Kernel>;
  readonly folded: Map<Node, Node>;
  readonly skipped: Map<Node, string>;
}

function chooseNodes(graph: Graph, folded: Map<Node, Node>, options: PlacementOptions): Chosen {
  const chosen: Chosen = { layers: new Map(), others: new Map(), folded: new Map(), skipped: new Map() };
  const integers = new Set<Value>();
  const context = {
    integers,
    wanted: layerInputs(graph, options),
    tail: options.floatTail ? tailOf(graph) : new Set<Node>(),
  };
  for (const node of graph.nodes) {
    const taken = isIntegerClamp(folded, chosen, node) || choose(graph, node, chosen, context, options);
    if (!taken) continue;
    for (const output of node.outputs) if (output) integers.add(output);
    const source = folded.get(node);
    if (source) chosen.folded.set(node, source);
  }
  return chosen;
}

interface ChoiceContext {
  /** Values that integer nodes make. */
  readonly integers: ReadonlySet<Value>;
  /** Values that layers will read as integers, whoever makes them. */
  readonly wanted: ReadonlySet<Value>;
  readonly tail: ReadonlySet<Node>;
}

function layerInputs(graph: Graph, { float }: PlacementOptions): Set<Value> {
  const inputs = new Set<Value>();
  for (const node of graph.nodes) {
    const layer = weightedOperators.has(node.opType) && float(node) === undefined ? layerOf(graph, node) : undefined;
    if (layer && isLayer(layer)) inputs.add(layer.input);
  }
  return inputs;
}

function isIntegerClamp(folded: ReadonlyMap<Node, Node>, { layers, others }: Chosen, node: Node): boolean {
  const source = folded.get(node);
  return source !== undefined && (layers.has(source) || others.has(source));
}

function choose(
  graph: Graph,
  node: Node,
  { layers, others, skipped }: Chosen,
  context: ChoiceContext,
  options: PlacementOptions,
): boolean {
  const entry = isStandard(node) ? kernels.get(node.opType) : undefined;
  if (!entry && !isWeighted(node)) return false;
  const reason = options.float(node) ?? (context.tail.has(node) ? "only graph outputs follow it" : undefined);
  if (reason !== undefined) return skip(skipped, node, reason);
  if (!entry) {
    const layer = layerOf(graph, node);
    if (!isLayer(layer)) return skip(skipped, node, layer.reason);
    layers.set(node, layer);
    return true;
  }
  if (!isFed(graph, node, context) && !(entry.kernel === "integer" && feedsALayer(graph, node, options))) {
    return skip(skipped, node, "its inputs are computed in floats");
  }
  if (entry.kernel === "integer" && !padsWithZero(graph, node))
    return skip(skipped, node, "it pads with another value");
  if (dataInputs(node).some((input) => graph.initializers.has(input)) && entry.kernel !== "arithmetic") {
    return skip(skipped, node, "one of its inputs is a constant");
  }
  others.set(node, entry.kernel);
  return true;
}

/** Whether some data comes from integer nodes, and the rest does too, is constant, or is quantized for a layer anyway. */
function isFed(graph: Graph, node: Node, { integers, wanted }: ChoiceContext): boolean {
  const data = dataInputs(node);
  const isReady = (value: Value): boolean => integers.has(value) || wanted.has(value) || isFloatConstant(graph, value);
  return data.some((value) => integers.has(value)) && data.every(isReady);
}

/** Whether the only reader of the node's output is a layer that will compute on integers. */
function feedsALayer(graph: Graph, node: Node, { float }: PlacementOptions): boolean {
  const reader = node.outputs[0] && soleConsumer(graph, node.outputs[0]);
  return reader !== undefined && float(reader) === undefined && isLayer(layerOf(graph, reader));
}

function skip(skipped: Map<Node, string>, node: Node, reason: string): false {
  skipped.set(node, reason);
  return false;
}

function isStandard({ domain }: Node): boolean {
  return domain === "" || domain === "ai.onnx";
}

function isFloatConstant(graph: Graph, value: Value): boolean {
  return constantOf(graph, value)?.dtype === "float32";
}

function padsWithZero(graph: Graph, node: Node): boolean {
  if (!node.inputs[2]) return true;
  const constant = constantOf(graph, node.inputs[2]);
  return constant?.dtype === "float32" && floatsOf(constant).every((value) => value === 0);
}

/** Relu and Clip nodes from zero up whose input is made by a node with a kernel and read by nothing else. */
function clampsIn(graph: Graph, { float }: PlacementOptions): Map<Node, Node> {
  const found = new Map<Node, Node>();
  for (const node of graph.nodes) {
    const [input] = node.inputs;
    if (!input || node.outputs.length > 1 || !clamps.has(node.opType) || !isStandard(node) || float(node) !== undefined)
      continue;
    if (soleConsumer(graph, input) !== node || !clampsFromZero(graph, node)) continue;
    const source = indexOf(graph).producers.get(input);
    if (source && (source.opType === "Add" || weightedOperators.has(source.opType))) found.set(node, source);
  }
  return found;
}

/** Whether the lower bound is zero and the upper one known; that is never exceeded by the range of the output. */
function clampsFromZero(graph: Graph, { opType, inputs }: Node): boolean {
  if (opType === "Relu") return true;
  const [low, high] = [inputs[1], inputs[2]].map((value) => constantOf(graph, value));
  if (low?.dtype !== "float32" || floatsOf(low)[0] !== 0) return false;
  return !inputs[2] || high?.dtype === "float32";
}

/** Nodes without weights after which there is nothing with weights. */
function tailOf(graph: Graph): Set<Node> {
  const tail = new Set<Node>();
  for (const node of [...graph.nodes].reverse()) {
    if (weightedOperators.has(node.opType) || clamps.has(node.opType)) continue;
    const users = node.outputs.flatMap((output) => (output ? usesOf(graph, output) : []));
    if (users.every((use) => use.node === undefined || tail.has(use.node))) tail.add(node);
  }
  return tail;
}

/** A value is quantized when an integer node makes or reads it, except the last one, which leaves in floats if it can. */
function quantizedValues(graph: Graph, { layers, others, folded }: Chosen): Value[] {
  const values = new Set<Value>();
  const isInteger = (node: Node): boolean => layers.has(node) || others.has(node);
  const foldedSources = new Map([...folded].map(([clamp, source]) => [source, clamp]));
  for (const node of graph.nodes) {
    if (!layers.has(node) && !others.has(node)) continue;
    for (const input of dataInputs(node)) if (!constantOf(graph, input)) values.add(input);
    const output = (foldedSources.get(node) ?? node).outputs[0];
    if (!output) continue;
    if (
      !foldedSources.has(node) &&
      canLeaveInFloats(node) &&
      usesOf(graph, output).every((use) => !use.node || !isInteger(use.node))
    )
      continue;
    values.add(output);
  }
  return [...values];
}

/** Gemm and MatMul on integers may give floats without another rounding. */
function canLeaveInFloats({ opType }: Node): boolean {
  return opType === "Gemm" || opType === "MatMul";
}

function unionFind<T>(): { find(item: T): T; join(a: T, b: T): void } {
  const parents = new Map<T, T>();
  const find = (item: T): T => {
    let root = item;
    for (let next = parents.get(root); next !== undefined; next = parents.get(root)) root = next;
    return root;
  };
  return {
    find,
    join(a, b) {
      const [x, y] = [find(a), find(b)];
      if (x !== y) parents.set(x, y);
    },
  };
}

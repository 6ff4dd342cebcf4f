/** @file Layers of a cleaned network that sum signs with weights of two levels. */
import {
  constantOf,
  floatOf,
  type Graph,
  intOf,
  intsOf,
  type Node,
  numbersOf,
  producerOf,
  stringOf,
  type Tensor,
  type Value,
} from "../../ir/index.ts";
import type { SignConvolution, SignLayer } from "../../runtime/index.ts";

/** A node whose first input are signs, and what these are the signs of. */
export interface SignNode {
  readonly node: Node;
  readonly input: Value;
  readonly output: Value;
  readonly layer: SignLayer;
}

export function signLayersOf(graph: Graph): SignNode[] {
  return graph.nodes.flatMap((node) => {
    const found = node.domain === "" && (node.opType === "Conv" ? convolution(graph, node) : product(graph, node));
    const [output] = node.outputs;
    return found && output ? [{ node, output, ...found }] : [];
  });
}

type Found = Pick<SignNode, "input" | "layer"> | undefined;

function product(graph: Graph, node: Node): Found {
  const weight = weightOf(graph, node);
  const isPlain = node.opType === "MatMul" || (node.opType === "Gemm" && isPlainGemm(node));
  if (!isPlain || weight?.dims.length !== 2) return undefined;
  const isOutputsFirst = node.opType === "Gemm" && intOf(node, "transB", 0) === 1;
  const [inputs = 0, outputs = 0] = isOutputsFirst ? weight.dims.toReversed() : weight.dims;
  const numbers = numbersOf(weight);
  const rows = isOutputsFirst
    ? numbers
    : numbers.map((_, at) => numbers[(at % inputs) * outputs + Math.floor(at / inputs)]!);
  const input = signsSource(graph, node.inputs[0]);
  const levels = levelsOf(graph, rows, outputs, node.inputs[2]);
  return input && levels && { input, layer: { kind: "product", inputs, outputs, ...levels } };
}

function isPlainGemm(node: Node): boolean {
  return floatOf(node, "alpha", 1) === 1 && floatOf(node, "beta", 1) === 1 && intOf(node, "transA", 0) === 0;
}

function convolution(graph: Graph, node: Node): Found {
  const weight = weightOf(graph, node);
  const isDense = intOf(node, "group", 1) === 1 && (intsOf(node, "dilations") ?? []).every((length) => length === 1);
  if (!isDense || weight?.dims.length !== 4 || !isUnpadded(node)) return undefined;
  const [outputs = 0, channels = 0, height = 0, width = 0] = weight.dims;
  const [vertical = 1, horizontal = 1] = intsOf(node, "strides") ?? [];
  const padded = paddingOf(graph, node.inputs[0]);
  const input = padded && signsSource(graph, padded.x);
  const levels = levelsOf(graph, numbersOf(weight), outputs, node.inputs[2]);
  if (!input || !levels) return undefined;
  const geometry = { kernel: [height, width], strides: [vertical, horizontal], pads: padded.pads } as const;
  return { input, layer: { kind: "convolution", channels, outputs, ...geometry, ...levels } };
}

function weightOf(graph: Graph, node: Node): Tensor | undefined {
  const weight = constantOf(graph, node.inputs[1]);
  return weight?.dtype === "float32" ? weight : undefined;
}

function isUnpadded(node: Node): boolean {
  const mode = stringOf(node, "auto_pad", "NOTSET");
  return mode === "VALID" || (mode === "NOTSET" && (intsOf(node, "pads") ?? []).every((length) => length === 0));
}

/** What is padded with +1 at the sides of pictures, or not at all; `undefined` for another padding. */
function paddingOf(
  graph: Graph,
  value: Value | undefined,
): { readonly x: Value | undefined; readonly pads: SignConvolution["pads"] } | undefined {
  const pad = value && producerOf(graph, value);
  if (pad?.opType !== "Pad" || pad.domain !== "") return { x: value, pads: [0, 0, 0, 0] };
  const [x, pads, fill, axes] = pad.inputs;
  const lengths = constantOf(graph, pads);
  if (!lengths || axes || stringOf(pad, "mode", "constant") !== "constant" || !isAll(graph, fill, 1)) return undefined;
  const [batch, channels, top, left, batchEnd, channelsEnd, bottom, right] = numbersOf(lengths);
  const others = [batch, channels, batchEnd, channelsEnd];
  if (lengths.dims[0] !== 8 || others.some((length) => length !== 0)) return undefined;
  const sides = [top!, left!, bottom!, right!] as const;
  return sides.some((length) => length < 0) ? undefined : { x, pads: sides };
}

/** x, where the value is −1 for x < 0 and +1 elsewhere. */
function signsSource(graph: Graph, value: Value | undefined): Value | undefined {
  const choice = value && producerOf(graph, value);
  if (choice?.opType !== "Where" || !isAll(graph, choice.inputs[1], -1) || !isAll(graph, choice.inputs[2], 1)) {
    return undefined;
  }
  const condition = choice.inputs[0] && producerOf(graph, choice.inputs[0]);
  const [x, zero] = condition?.inputs ?? [];
  return condition?.opType === "Less" && x && isAll(graph, zero, 0) && isFloat(x) ? x : undefined;
}

function isFloat({ type }: Value): boolean {
  return type?.kind === "tensor" && type.dtype === "float32";
}

function isAll(graph: Graph, value: Value | undefined, number: number): boolean {
  const constant = constantOf(graph, value);
  return !!constant && constant.dtype !== "string" && numbersOf(constant).every((each) => each === number);
}

/** Of rows of −a and +a, one for each output; `undefined` where a row has other weights. */
function levelsOf(
  graph: Graph,
  weights: Float64Array,
  outputs: number,
  bias: Value | undefined,
): Pick<SignLayer, "negative" | "scales" | "biases"> | undefined {
  const inputs = weights.length / outputs;
  const scales = Array.from({ length: outputs }, (_, output) => Math.abs(weights[output * inputs]!));
  const isTwo = weights.every((weight, at) => weight !== 0 && Math.abs(weight) === scales[Math.floor(at / inputs)]);
  const shifts = bias && constantOf(graph, bias);
  if (!isTwo || (bias && !shifts)) return undefined;
  const given = shifts ? [...numbersOf(shifts)] : [];
  return {
    negative: new Uint8Array(weights.length).map((_, at) => (weights[at]! < 0 ? 1 : 0)),
    scales,
    biases: Array.from({ length: outputs }, (_, output) => given[given.length === 1 ? 0 : output] ?? 0),
  };
}

/** @file Pads channels with zeros to the widths at which ONNX Runtime's integer convolutions have no slow remainder. */
import { isDepthwise, isLayer, type Layer, layerOf } from "../../calibration/index.ts";
import { nth } from "../../checked.ts";
import {
  attributeFrom,
  constantOf,
  type Draft,
  editModel,
  floatsOf,
  type Graph,
  indexOf,
  int64s,
  type Model,
  makeNode,
  type Node,
  producerOf,
  scalar,
  soleConsumer,
  type Tensor,
  tensor,
  tensorType,
  type Value,
} from "../../ir/index.ts";

/** Channels that the depthwise kernel takes at a time; what is left over is computed one by one. */
const DEPTHWISE_LANES = 16;
/** Input channels of an ordinary convolution whose patches are copied in whole words. */
const WORD = 4;

/**
 * Depthwise convolutions between two ordinary ones get channels of zeros up to a multiple of 16; convolutions whose input is a graph
 * input get input channels of zeros up to a multiple of 4. Exact: what is added stays zero, or meets zero weights.
 */
export function alignChannels(model: Model, wanted: (node: Node) => boolean): Model {
  const outputs = model.graph.nodes.flatMap(({ opType, outputs: [output] }) =>
    opType === "Conv" && output ? [output] : [],
  );
  return outputs.reduce((current, output) => aligned(current, output, wanted), model);
}

/** One edit at a time: what an edit finds is the graph as the edits before have left it, never a tensor that one of them has replaced. */
function aligned(model: Model, output: Value, wanted: (node: Node) => boolean): Model {
  const { graph } = model;
  const node = producerOf(graph, output);
  const layer = node?.opType === "Conv" && wanted(node) ? layerOf(graph, node) : undefined;
  if (!layer || !isLayer(layer)) return model;
  return editModel(model, (draft) => {
    if (isDepthwise(layer)) widenDepthwise(graph, draft, layer, wanted);
    else if (graph.inputs.includes(layer.input)) padInput(draft, layer);
  });
}

const clamps = new Set(["Relu", "Clip"]);

function widenDepthwise(graph: Graph, draft: Draft, layer: Layer, wanted: (node: Node) => boolean): void {
  const extra = (DEPTHWISE_LANES - (layer.rows % DEPTHWISE_LANES)) % DEPTHWISE_LANES;
  const before = ordinary(graph, sourceOf(graph, layer.input, layer.node));
  const after = ordinary(graph, readerOf(graph, layer.node));
  if (extra === 0 || !before || !after || before.rows !== layer.rows || layer.columns === 0) return;
  if (!wanted(before.node) || !wanted(after.node)) return;
  if ([before, layer, after].some(({ weight }) => weightUses(graph, weight) !== 1)) return;
  const rows = (own: Layer): void => {
    draft.setInitializer(own.weight, withZeros(own.weightTensor, 0, extra));
    if (own.bias && own.biasTensor) draft.setInitializer(own.bias, withZeros(own.biasTensor, 0, extra));
  };
  rows(before);
  rows(layer);
  draft.setInitializer(after.weight, withZeros(after.weightTensor, 1, extra));
  draft.replaceNode(layer.node, withGroups(layer.node, layer.rows + extra));
}

function weightUses(graph: Graph, weight: Value): number {
  return graph.initializers.has(weight) ? (indexOf(graph).uses.get(weight)?.length ?? 0) : 0;
}

/** The node that makes a value which only `reader` reads, behind clamps that keep zero at zero. */
function sourceOf(graph: Graph, value: Value, reader: Node): Node | undefined {
  if (soleConsumer(graph, value) !== reader) return undefined;
  const source = indexOf(graph).producers.get(value);
  if (!source || !clamps.has(source.opType)) return source;
  return keepsZero(graph, source) && source.inputs[0] ? sourceOf(graph, source.inputs[0], source) : undefined;
}

/** The only reader of a node's output, behind such clamps. */
function readerOf(graph: Graph, node: Node): Node | undefined {
  const reader = node.outputs[0] && soleConsumer(graph, node.outputs[0]);
  if (!reader || !clamps.has(reader.opType)) return reader;
  return keepsZero(graph, reader) ? readerOf(graph, reader) : undefined;
}

function keepsZero(graph: Graph, { opType, inputs }: Node): boolean {
  if (opType === "Relu") return true;
  const [low, high] = [inputs[1], inputs[2]].map((value) => (value ? constantOf(graph, value) : undefined));
  const below = inputs[1] === undefined || (low !== undefined && floatsOf(low)[0]! <= 0);
  return below && (inputs[2] === undefined || (high !== undefined && floatsOf(high)[0]! >= 0));
}

function ordinary(graph: Graph, node: Node | undefined): Layer | undefined {
  const layer = node?.opType === "Conv" ? layerOf(graph, node) : undefined;
  return layer && isLayer(layer) && layer.groups === 1 ? layer : undefined;
}

function withGroups(node: Node, groups: number): Node {
  return { ...node, attributes: new Map([...node.attributes, ["group", attributeFrom(groups)]]) };
}

function padInput(draft: Draft, layer: Layer): void {
  const channels = nth(layer.weightTensor.dims, 1);
  const extra = (WORD - (channels % WORD)) % WORD;
  if (extra === 0 || layer.groups !== 1 || weightUses(draft.graph, layer.weight) !== 1) return;
  const rank = layer.weightTensor.dims.length;
  const pads = Array.from({ length: 2 * rank }, (_, i) => (i === rank + 1 ? extra : 0));
  const inputs = [
    layer.input,
    draft.constant(`${layer.input.name}_channel_pads`, int64s(pads)),
    draft.constant(`${layer.input.name}_channel_value`, scalar("float32", 0)),
  ];
  const padded = draft.value(`${layer.input.name}_padded`, tensorType("float32"));
  const pad = makeNode("Pad", inputs, [padded], { name: padded.name });
  const conv = { ...layer.node, inputs: [padded, ...layer.node.inputs.slice(1)] };
  draft.setInitializer(layer.weight, withZeros(layer.weightTensor, 1, extra));
  draft.replaceNode(layer.node, pad, conv);
}

/** The tensor with `extra` zeros at the end of an axis. */
function withZeros(source: Tensor, axis: number, extra: number): Tensor {
  const dims = source.dims.map((dim, i) => (i === axis ? dim + extra : dim));
  const inner = source.dims.slice(axis).reduce((a, b) => a * b, 1);
  const wider = dims.slice(axis).reduce((a, b) => a * b, 1);
  const outer = source.dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const values = new Float32Array(outer * wider);
  const data = floatsOf(source);
  for (let i = 0; i < outer; i++) values.set(data.subarray(i * inner, (i + 1) * inner), i * wider);
  return tensor("float32", dims, values);
}

/** @file The layers of a transformer, found by the edges of its graph: where each attends, and what it hands on. Names play no part. */
import { lastOf, nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import { constantOf, dependents, type Graph, type Model, type Node, type Value } from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";

export interface TransformerLayer {
  /** The scores before the softmax, [batch, heads, time, time]. */
  readonly scores: string;
  /** What the layer hands on, [batch, time, width]. */
  readonly hidden: string;
}

export interface TransformerValues {
  /** What the first layer reads, [batch, time, width]. */
  readonly embedding: string;
  readonly layers: readonly TransformerLayer[];
}

/**
 * A layer is a softmax over scores of all pairs of positions whose result is added to what it was computed from. What it hands on is what the next
 * layer's result is added to: behind the norm where norms follow the sums, before it where they precede the layers.
 *
 * @throws UnsupportedError where there is no such layer
 */
export function transformerLayers(model: Model): TransformerValues {
  const { graph } = inferShapes(model);
  const blocks = graph.nodes.flatMap((node) => attentionAt(graph, node) ?? []);
  if (blocks.length === 0) {
    throw new UnsupportedError("the model has no layers of a transformer", {
      expected: "a softmax over scores [batch, heads, time, time] whose result is added to what it was computed from",
      got: "none",
    });
  }
  const hidden = [...blocks.slice(1).map(({ stream }) => stream), handedOn(graph, lastOf(blocks).sum)];
  return {
    embedding: nth(blocks, 0).stream.name,
    layers: blocks.map(({ scores }, i) => ({ scores: scores.name, hidden: nth(hidden, i).name })),
  };
}

interface Block {
  readonly scores: Value;
  /** What the block's result is added to. */
  readonly stream: Value;
  readonly sum: Node;
}

function attentionAt(graph: Graph, softmax: Node): Block | undefined {
  const [scores] = softmax.inputs;
  const dims = dimsOf(scores);
  if (softmax.opType !== "Softmax" || !scores || dims.length !== 4 || dims[2] !== dims[3]) return undefined;
  const reached = dependents(graph.nodes, new Set([nth(softmax.outputs, 0)]));
  for (const sum of graph.nodes) {
    const stream = residualOf(graph, sum, reached);
    if (stream) return { scores, stream, sum };
  }
  return undefined;
}

/** Of the sum x + f with f among what was reached and x not, x. */
function residualOf(graph: Graph, { opType, inputs }: Node, reached: ReadonlySet<Value>): Value | undefined {
  const [a, b] = inputs;
  const isSum = opType === "Add" && a && b && [a, b].every((value) => dimsOf(value).length === 3);
  if (!isSum || constantOf(graph, a) || constantOf(graph, b) || reached.has(a) === reached.has(b)) return undefined;
  return reached.has(a) ? b : a;
}

/** What stands behind the last of the sums that follow the last attention: their norm, where those before were normed. */
function handedOn(graph: Graph, sum: Node): Value {
  let last = nth(sum.outputs, 0);
  let isNormed = false;
  for (const node of graph.nodes.slice(graph.nodes.indexOf(sum) + 1)) {
    const [stream] = node.inputs.filter((value) => value === last || value === normOf(graph, last));
    const grown = stream && residualOf(graph, node, beyond(graph, stream));
    if (grown !== stream || !stream) continue;
    isNormed = stream !== last;
    last = nth(node.outputs, 0);
  }
  return (isNormed && normOf(graph, last)) || last;
}

/** What is computed from a value, without the value. */
function beyond(graph: Graph, value: Value): ReadonlySet<Value> {
  const found = dependents(graph.nodes, new Set([value]));
  found.delete(value);
  return found;
}

function normOf(graph: Graph, value: Value): Value | undefined {
  return graph.nodes.find(({ opType, inputs }) => opType === "LayerNormalization" && inputs[0] === value)?.outputs[0];
}

function dimsOf(value: Value | undefined): readonly (number | string)[] {
  return value?.type?.kind === "tensor" ? (value.type.dims ?? []) : [];
}

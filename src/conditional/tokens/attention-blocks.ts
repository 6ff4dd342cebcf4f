/** @file Attention blocks of a vision transformer, found by the edges of its graph alone. */
import { lastOf, nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import {
  constantOf,
  type Graph,
  intOf,
  type Node,
  numbersOf,
  producerOf,
  readsOf,
  UNKNOWN_DIM,
  usesOf,
  type Value,
} from "../../ir/index.ts";

/** softmax(q·kᵀ)·v over all tokens, and the residual sum that it goes into. */
export interface AttentionBlock {
  readonly softmax: Node;
  /** kᵀ, [batch, heads, size, time]. */
  readonly keys: Value;
  /** The addition x + attention(x), [batch, time, width]. */
  readonly sum: Node;
}

/** What comes out of the tokens: their mean, or one that carries the class. */
export interface TokenReader {
  readonly node: Node;
  readonly kind: "mean" | "first";
}

export interface TokenNetwork {
  readonly blocks: readonly AttentionBlock[];
  readonly reader: TokenReader;
  /** Tokens in the first block. */
  readonly time: number;
}

/** @throws UnsupportedError where there are no such blocks over one fixed number of tokens, or nothing known reads them. */
export function tokenNetworkOf(graph: Graph): TokenNetwork {
  const blocks = graph.nodes.flatMap((node) => blockAt(graph, node) ?? []);
  const times = new Set(blocks.map(({ sum }) => dimsOf(sum.outputs[0])[1]));
  const [time] = times;
  if (typeof time !== "number" || times.size > 1) {
    throw new UnsupportedError("the model has no attention blocks whose tokens can be reduced", {
      expected: "softmax(q·kᵀ)·v added to its input, over one fixed number of tokens in all blocks",
      got: blocks.length === 0 ? "no such block" : `${[...times].join(", ")} tokens`,
    });
  }
  const last = graph.nodes.indexOf(lastOf(blocks).sum);
  const readers = graph.nodes.slice(last).flatMap((node) => readerAt(graph, node, time) ?? []);
  if (readers.length === 1) return { blocks, reader: nth(readers, 0), time };
  throw new UnsupportedError("what reads the tokens behind the last block is not known", {
    expected: "one mean over the tokens, or one choice of the first",
    got: `${readers.length} of them`,
  });
}

function dimsOf(value: Value | undefined): readonly (number | string)[] {
  return value?.type?.kind === "tensor" ? (value.type.dims ?? []) : [];
}

function blockAt(graph: Graph, softmax: Node): AttentionBlock | undefined {
  const dims = dimsOf(softmax.outputs[0]);
  if (softmax.opType !== "Softmax" || dims.length !== 4 || dims[2] !== dims[3]) return undefined;
  const product = productBehind(graph, softmax.inputs[0]);
  const keys = product?.inputs[1];
  const sum = residualSum(graph, softmax);
  return keys && sum && dimsOf(keys)[3] === dims[3] ? { softmax, keys, sum } : undefined;
}

/** The product of queries and keys, behind scalings by constants. */
function productBehind(graph: Graph, scores: Value | undefined): Node | undefined {
  let node = scores && producerOf(graph, scores);
  while (node && (node.opType === "Mul" || node.opType === "Div")) {
    const source = node.inputs.find((value) => !constantOf(graph, value));
    node = source && node.inputs.some((value) => constantOf(graph, value)) ? producerOf(graph, source) : undefined;
  }
  return node?.opType === "MatMul" ? node : undefined;
}

/** The first addition of what depends on the attention to an equally long sequence that does not. */
function residualSum(graph: Graph, softmax: Node): Node | undefined {
  const reached = new Set(softmax.outputs);
  const start = graph.nodes.indexOf(softmax) + 1;
  for (const node of graph.nodes.slice(start)) {
    if (!readsOf(node).some((value) => reached.has(value))) continue;
    const dims = node.inputs.map(dimsOf);
    const isSum = node.opType === "Add" && dims.every((own) => own.length === 3 && own[1] === nth(dims, 0)[1]);
    if (isSum && !node.inputs.every((value) => reached.has(value))) {
      return node.inputs.some((value) => constantOf(graph, value)) ? undefined : node;
    }
    for (const output of node.outputs) reached.add(output);
  }
  return undefined;
}

function readerAt(graph: Graph, node: Node, time: number): TokenReader | undefined {
  const dims = dimsOf(node.inputs[0]);
  if (dims.length !== 3 || dims[1] !== time || dims[2] === UNKNOWN_DIM) return undefined;
  const numbers = constantOf(graph, node.inputs[1]);
  const [first, ...others] = numbers ? numbersOf(numbers) : [];
  if (others.length > 0 || usesOf(graph, nth(node.outputs, 0)).length === 0) return undefined;
  if (node.opType === "ReduceMean" && (first === 1 || first === -2)) return { node, kind: "mean" };
  const isAlongTime = [1, -2].includes(intOf(node, "axis", 0));
  return node.opType === "Gather" && isAlongTime && first === 0 ? { node, kind: "first" } : undefined;
}

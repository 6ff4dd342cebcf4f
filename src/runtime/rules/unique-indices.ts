/** @file Whether the rows that a ScatterND writes are certainly distinct. */
import {
  constantOf,
  type Graph,
  type Node,
  numbersOf,
  producerOf,
  stringOf,
  type Tensor,
  type Value,
} from "../../ir/index.ts";

/** True also when the node has no reduction, and so nothing to lose. */
export function hasUniqueIndices(graph: Graph, node: Node): boolean {
  if (stringOf(node, "reduction", "none") === "none") return true;
  const indices = node.inputs[1];
  const constant = constantOf(graph, indices);
  return constant ? rowsDiffer(constant) : isNonZeroPositions(graph, indices);
}

function rowsDiffer(indices: Tensor): boolean {
  const width = indices.dims.at(-1) ?? 1;
  const flat = numbersOf(indices);
  // A negative index may name the same row as a positive one.
  if (flat.some((index) => index < 0)) return false;
  const rows = new Set<string>();
  for (let start = 0; start < flat.length; start += width) rows.add(flat.subarray(start, start + width).join(","));
  return rows.size * width === flat.length;
}

/** `Transpose(NonZero(x))`: every position once. */
function isNonZeroPositions(graph: Graph, indices: Value | undefined): boolean {
  const transpose = indices && producerOf(graph, indices);
  const source = transpose?.opType === "Transpose" ? transpose.inputs[0] : undefined;
  return source !== undefined && producerOf(graph, source)?.opType === "NonZero";
}

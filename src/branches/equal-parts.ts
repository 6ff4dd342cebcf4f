/** @file Values that are the equal parts of one. */
import { type Graph, intOf, producerOf, type Value } from "../ir/index.ts";

/** The value that a `Split` cut into these. */
export function equalParts(graph: Graph, values: readonly Value[]): { value: Value; axis: number } | undefined {
  const node = producerOf(graph, values[0]!);
  const value = node?.inputs[0];
  if (node?.opType !== "Split" || node.domain !== "" || !value) return undefined;
  if (node.outputs.length !== values.length || values.some((part, b) => node.outputs[b] !== part)) return undefined;
  const rank = values[0]!.type?.kind === "tensor" ? values[0]!.type.dims?.length : undefined;
  if (rank === undefined) return undefined;
  const given = intOf(node, "axis", 0);
  return { value, axis: given < 0 ? given + rank : given };
}

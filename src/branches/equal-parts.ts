/** @file Values that are the equal parts of one. */
import { nth } from "../checked.ts";
import { type Graph, intOf, producerOf, type Value } from "../ir/index.ts";

/** The value that a `Split` cut into these. */
export function equalParts(graph: Graph, values: readonly Value[]): { value: Value; axis: number } | undefined {
  const node = producerOf(graph, nth(values, 0));
  const value = node?.inputs[0];
  if (node?.opType !== "Split" || node.domain !== "" || !value) return undefined;
  if (node.outputs.length !== values.length || values.some((part, b) => node.outputs[b] !== part)) return undefined;
  const { type } = nth(values, 0);
  const rank = type?.kind === "tensor" ? type.dims?.length : undefined;
  if (rank === undefined) return undefined;
  const given = intOf(node, "axis", 0);
  return { value, axis: given < 0 ? given + rank : given };
}

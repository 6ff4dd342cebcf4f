/** @file Constants of whichever graph of a model defines them. */
import { constantOf, type Graph, type Tensor, type Value } from "../ir/index.ts";

/** The constant behind a value, be it of the graph that reads it or of one around it. */
export function constantAmong(graphs: readonly Graph[], value: Value | undefined): Tensor | undefined {
  for (const graph of graphs) {
    const constant = constantOf(graph, value);
    if (constant) return constant;
  }
  return undefined;
}

/** @file Initializers in the form that takes fewer bytes: `sparse_initializer` where most of a weight is zeros. */
import { editAllGraphs } from "./edit.ts";
import { type Model, withGraph } from "./graph.ts";
import { denseOf, sparseBytes, sparseOf } from "./sparse-tensor.ts";
import { storedConstants } from "./stored-constants.ts";
import { isSparse } from "./tensor.ts";

/**
 * Float32 initializers of the main graph as sparse ones where those take fewer bytes: 12 for each number that is not zero, against 4 for
 * each. ONNX Runtime makes them dense as it loads them, so that this changes the size of a file and nothing else. Exact.
 */
export function sparseInitializers(model: Model): Model {
  const { graph } = storedConstants(model);
  let changed = false;
  const inputs = new Set(graph.inputs);
  const initializers = [...graph.initializers].map(([value, data]) => {
    if (isSparse(data) || data.dtype !== "float32" || inputs.has(value)) return [value, data] as const;
    const { dense, sparse } = sparseBytes(data);
    if (sparse + OVERHEAD >= dense) return [value, data] as const;
    changed = true;
    return [value, sparseOf(data)] as const;
  });
  return changed ? withGraph(model, { ...graph, initializers: new Map(initializers) }) : model;
}

/** What a sparse tensor adds to a file beside its numbers, at most. */
const OVERHEAD = 64;

/** Sparse initializers of all graphs as dense ones, which is what everything but a file works on. Exact. */
export function denseInitializers(model: Model): Model {
  return editAllGraphs(model, (draft) => {
    for (const [value, data] of draft.graph.initializers)
      if (isSparse(data)) draft.setInitializer(value, denseOf(data));
  });
}

/** @file Initializers that are listed among the inputs become constants. */
import { fedInputs, type Model, withGraph } from "../ir/index.ts";
import type { Note, Pass } from "../rewrite/index.ts";

const name = "freeze-initializers";

/**
 * Exact for callers that feed only what has no default. An initializer among the inputs could be overridden, so nothing that
 * depends on it can be folded, by lithe or by the runtime; and the runtime's Node package cannot override it anyway.
 */
export function freezeInitializers(): Pass {
  return { name, exactness: "exact", run: freeze };
}

function freeze(model: Model): { model: Model; notes: Note[] } {
  const { graph } = model;
  const frozen = graph.inputs.filter((input) => graph.initializers.has(input));
  if (frozen.length === 0) return { model, notes: [] };
  const inputs = fedInputs(graph);
  const reason = "an input with a default becomes a constant";
  const notes = frozen.map((input): Note => ({ pass: name, kind: "applied", reason, nodes: [input.name] }));
  return { model: withGraph(model, { ...graph, inputs }), notes };
}

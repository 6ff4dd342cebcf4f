/** @file Drops what is recorded about intermediate values: after a change of the graph it would be wrong, and it takes room. */
import { editModel } from "./edit.ts";
import type { Model } from "./graph.ts";

/** The model without types of values that are neither inputs, outputs nor initializers. Exact. */
export function forgetTypes(model: Model): Model {
  const { graph } = model;
  const outputs = new Set(graph.outputs);
  return editModel(model, (draft) => {
    for (const node of graph.nodes) {
      for (const value of node.outputs) {
        if (value?.type && !outputs.has(value)) draft.substitute(value, { name: value.name });
      }
    }
  });
}

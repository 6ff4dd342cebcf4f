/** @file Drops what is recorded about intermediate values: it would be wrong after channels are added, and takes room. */
import { editModel, type Model } from "../ir/index.ts";

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

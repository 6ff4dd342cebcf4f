/** @file `Constant` nodes become initializers, which is where everything else looks for weights. */
import { editAllGraphs } from "./edit.ts";
import type { Model, Node } from "./graph.ts";
import { literalOf } from "./traverse.ts";

/**
 * The model without `Constant` nodes, in branches and loops too, but for those that a graph returns and sparse ones; `onStored` hears of
 * every node that goes. The same model where there are none. Exact.
 */
export function storedConstants(model: Model, onStored: (node: Node) => void = () => undefined): Model {
  return editAllGraphs(model, (draft) => {
    const outputs = new Set(draft.graph.outputs);
    for (const node of draft.graph.nodes) {
      const tensor = literalOf(node);
      const [output] = node.outputs;
      if (!tensor || !output || outputs.has(output)) continue;
      draft.remove(node);
      draft.setInitializer(output, tensor);
      onStored(node);
    }
  });
}

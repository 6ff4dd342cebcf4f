/** @file `Constant` nodes become initializers, which is where everything else looks for weights. */
import { editAllGraphs } from "./edit.ts";
import { isFixed } from "./fixed-constant.ts";
import type { Model, Node } from "./graph.ts";
import { literalOf } from "./traverse.ts";

/**
 * The model without `Constant` nodes, in branches and loops too, but for those that a graph returns and sparse ones; `onStored` hears of
 * every node that goes. The same model where there are none. Exact.
 */
export function storedConstants(model: Model, onStored?: (node: Node) => void): Model {
  return storedWhere(model, () => true, onStored);
}

/** The same for what may be a weight: constants that lithe built as part of a formula stay nodes, which training leaves alone. */
export function storedWeights(model: Model): Model {
  return storedWhere(model, (node) => !isFixed(node));
}

function storedWhere(model: Model, takes: (node: Node) => boolean, onStored?: (node: Node) => void): Model {
  return editAllGraphs(model, (draft) => {
    const outputs = new Set(draft.graph.outputs);
    for (const node of draft.graph.nodes) {
      const tensor = literalOf(node);
      const [output] = node.outputs;
      if (!tensor || !output || outputs.has(output) || !takes(node)) continue;
      draft.remove(node);
      draft.setInitializer(output, tensor);
      onStored?.(node);
    }
  });
}

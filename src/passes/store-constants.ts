/** @file `Constant` nodes become initializers, which is where everything else looks for weights. */
import { editAllGraphs, literalOf, type Model, type Node } from "../ir/index.ts";
import type { Note, SyncPass } from "../rewrite/index.ts";

const name = "store-constants";

/** Exact. In branches and loops too; a constant that a graph returns stays a node, and so does a sparse one. */
export function storeConstants(): SyncPass {
  return {
    name,
    exactness: "exact",
    run(model) {
      const notes: Note[] = [];
      return { model: storedConstants(model, (node) => notes.push(noteOn(node))), notes };
    },
  };
}

/** What the pass makes of a model; `onStored` hears of every node that goes. */
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

function noteOn(node: Node): Note {
  const reason = "a Constant node becomes an initializer";
  return { pass: name, kind: "applied", reason, nodes: [node.name || (node.outputs[0]?.name ?? "")] };
}

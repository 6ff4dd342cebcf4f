/** @file `Constant` nodes become initializers. */
import { type Node, storedConstants } from "../ir/index.ts";
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

function noteOn(node: Node): Note {
  const reason = "a Constant node becomes an initializer";
  return { pass: name, kind: "applied", reason, nodes: [node.name || (node.outputs[0]?.name ?? "")] };
}

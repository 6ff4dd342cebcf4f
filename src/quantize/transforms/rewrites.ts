/** @file Changes of constants and surroundings of nodes, gathered and then written at once: each node gets constants of its own. */
import { weightsIn } from "../../calibration/index.ts";
import { type Draft, editModel, floatsOf, type Model, type Node, tensor } from "../../ir/index.ts";
import { withoutUnread } from "../qdq/unread.ts";

export interface Constant {
  readonly dims: readonly number[];
  /** To be changed in place. */
  readonly values: Float32Array;
}

/** The nodes that stand in the place of one. */
type Around = (draft: Draft, node: Node) => readonly Node[];

export interface Rewrites {
  /** A constant input of a node, as changed so far; `undefined` where it is none of float32. */
  constant(node: Node, input: number): Constant | undefined;
  /** What is put in the place of the node, whose constants are changed by then. */
  replace(node: Node, around: Around): void;
  written(): Model;
}

export function rewritesOf(model: Model): Rewrites {
  const lookUp = weightsIn(model.graph);
  const constants = new Map<Node, Map<number, Constant>>();
  const arounds = new Map<Node, Around>();
  const changed = (draft: Draft, node: Node): Node => {
    const inputs = [...node.inputs];
    for (const [input, { dims, values }] of constants.get(node) ?? []) {
      inputs[input] = draft.constant(`${inputs[input]?.name}_scaled`, tensor("float32", dims, values));
    }
    return { ...node, inputs };
  };
  return {
    constant(node, input) {
      const own = constants.get(node) ?? new Map<number, Constant>();
      const known = own.get(input);
      if (known) return known;
      const source = lookUp(node.inputs[input]);
      if (source?.dtype !== "float32") return undefined;
      const copy = { dims: source.dims, values: new Float32Array(floatsOf(source)) };
      constants.set(node, own.set(input, copy));
      return copy;
    },
    replace: (node, around) => void arounds.set(node, around),
    written() {
      const result = editModel(model, (draft) => {
        for (const node of model.graph.nodes) {
          const around = arounds.get(node);
          if (!around && !constants.has(node)) continue;
          const next = changed(draft, node);
          draft.replaceNode(node, ...(around?.(draft, next) ?? [next]));
        }
      });
      return withoutUnread(result);
    },
  };
}

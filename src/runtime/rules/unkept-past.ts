/** @file Attention that reads a past and does not give the present. */
import { editAllGraphs, type Model, type Node, qualifiedName } from "../../ir/index.ts";
import type { Rule } from "./rule.ts";

export const unkeptPast: Rule = {
  goesWrong: "attention with past keys and values, whose present ones are no outputs, reads the new ones alone",
  rewrite: withPresent,
};

/** Where operators take past keys and values; the present ones are outputs 1 and 2. */
const pastInputs: ReadonlyMap<string, readonly number[]> = new Map([
  ["com.microsoft::MultiHeadAttention", [6, 7]],
  ["com.microsoft::GroupQueryAttention", [3, 4]],
]);

const PRESENT = [1, 2] as const;

/**
 * The same model with both present outputs at every node that has a past: the runtime's kernels join past and new keys in the
 * buffers of those outputs, and read the new ones alone where there are none.
 */
function withPresent(model: Model): Model {
  return editAllGraphs(model, (draft) => {
    for (const node of draft.nodes()) {
      if (!forgetsPast(node)) continue;
      const outputs = [...node.outputs];
      for (const i of PRESENT) outputs[i] ??= draft.value(`${outputs[0]?.name ?? node.name}/present`);
      draft.replaceNode(node, { ...node, outputs });
    }
  });
}

function forgetsPast(node: Node): boolean {
  const past = pastInputs.get(qualifiedName(node));
  return (past ?? []).some((i) => node.inputs[i]) && PRESENT.some((i) => !node.outputs[i]);
}

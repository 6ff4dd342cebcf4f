/** @file Puts the branch that an `If` always takes in the place of the node. */
import {
  allGraphs,
  type Draft,
  editAllGraphs,
  type Graph,
  graphOf,
  isSparse,
  literalOf,
  type Model,
  makeNode,
  type Node,
  numbersOf,
  type Tensor,
  type Value,
} from "../ir/index.ts";
import type { Note, SyncPass } from "../rewrite/index.ts";

const name = "inline-branches";

/**
 * Exact. An `If` over a constant condition is replaced by the nodes of its branch. ONNX Runtime before 1.29 refuses such a node when a
 * constant of the branch has more than 127 bytes.
 */
export function inlineBranches(): SyncPass {
  return {
    name,
    exactness: "exact",
    run(model) {
      const truths = truthsIn(model);
      const notes: Note[] = [];
      const inlined = new Set<Graph>();
      const edited = editAllGraphs(model, (draft) => {
        for (const node of draft.graph.nodes) {
          const branch = takenBranch(node, truths);
          if (!branch || inlined.has(branch)) continue;
          inlined.add(branch);
          replace(draft, node, branch);
          notes.push({ pass: name, kind: "applied", reason: "its condition is constant", nodes: [node.name] });
        }
      });
      return { model: edited, notes };
    },
  };
}

/** The truth of every constant of one boolean. */
function truthsIn({ graph }: Model): ReadonlyMap<Value, boolean> {
  const truths = new Map<Value, boolean>();
  const note = (value: Value | undefined, tensor: Tensor | undefined): void => {
    if (value && tensor?.dtype === "bool" && numbersOf(tensor).length === 1)
      truths.set(value, numbersOf(tensor)[0] !== 0);
  };
  for (const { inputs, initializers, nodes } of allGraphs(graph)) {
    for (const [value, data] of initializers) if (!isSparse(data) && !inputs.includes(value)) note(value, data);
    for (const node of nodes) note(node.outputs[0], literalOf(node));
  }
  return truths;
}

function takenBranch(node: Node, truths: ReadonlyMap<Value, boolean>): Graph | undefined {
  const [condition] = node.inputs;
  const truth = node.opType === "If" && node.domain === "" && condition ? truths.get(condition) : undefined;
  const branch = truth === undefined ? undefined : graphOf(node, truth ? "then_branch" : "else_branch");
  return branch?.inputs.length === 0 && branch.outputs.length >= node.outputs.length ? branch : undefined;
}

function replace(draft: Draft, node: Node, branch: Graph): void {
  for (const [value, data] of branch.initializers) draft.setInitializer(value, data);
  const results = branch.outputs.map((value, i) => {
    const output = node.outputs[i];
    return output ? [makeNode("Identity", [value], [output], { name: output.name })] : [];
  });
  draft.replaceNode(node, ...branch.nodes, ...results.flat());
}

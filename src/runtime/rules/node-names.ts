/** @file Gives a name of their own to nodes that must be spoken of. */
import { allNodes, editAllGraphs, type Model, type Node } from "../../ir/index.ts";

/** The model in which every node that `matches` has a name that no other node has. */
export function withNodeNames(model: Model, matches: (node: Node, model: Model) => boolean): Model {
  const counts = new Map<string, number>();
  for (const { name } of allNodes(model)) counts.set(name, (counts.get(name) ?? 0) + 1);
  let next = 0;
  const fresh = (): string => {
    let name: string;
    do name = `lithe_node_${next++}`;
    while (counts.has(name));
    return name;
  };
  return editAllGraphs(model, (draft) => {
    for (const node of draft.nodes()) {
      if (!matches(node, model) || (node.name !== "" && counts.get(node.name) === 1)) continue;
      draft.replaceNode(node, { ...node, name: fresh() });
    }
  });
}

import { allNodes, type Model, type Node } from "../../ir/index.ts";

export function hasNode(model: Model, matches: (node: Node, model: Model) => boolean): boolean {
  for (const node of allNodes(model)) if (matches(node, model)) return true;
  return false;
}

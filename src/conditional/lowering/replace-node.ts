/** @file Another computation in the place of a node. */
import { type Draft, graphBuilder, makeNode, type Names, type Node, TARGET_OPSET, type Value } from "../../ir/index.ts";
import { type Layers, layersInto } from "../../nn/index.ts";
import { builderInference } from "../../ops/index.ts";
import { noWeights } from "./no-weights.ts";

/** The last output of the node is what `build` makes of values that are there before it. Its names are taken from `scope`. */
export function replaceNode(draft: Draft, scope: Names, node: Node, build: (n: Layers) => Value): void {
  const g = graphBuilder({ names: scope, infer: builderInference(TARGET_OPSET) });
  const made = build(layersInto(g, noWeights));
  for (const [value, data] of g.initializers) draft.setInitializer(value, data);
  draft.replaceNode(
    node,
    ...g.nodes,
    makeNode("Identity", [made], [node.outputs.at(-1)], { name: scope.fresh("kept") }),
  );
}

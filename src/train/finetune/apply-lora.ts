/** @file Adapters beside the layers of a model: y + (α/r)·x·A·B. */
import { nth } from "../../checked.ts";
import {
  type Draft,
  editGraph,
  graphBuilder,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  TARGET_OPSET,
  type Tensor,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { builderInference, inferShapes } from "../../ops/index.ts";
import { type FittedAdapter, fittedAdapters, loraSuffixes } from "./lora-tensors.ts";

/**
 * A model with the adapters that `tensors` hold, computed beside its layers; tensors under the name of an initializer take its
 * place. The weights themselves stay as they are.
 *
 * @throws FormatError for incomplete adapters and unknown names, ShapeError for tensors that do not fit.
 */
export function applyLora(model: Model, tensors: ReadonlyMap<string, Tensor>): Model {
  const typed = inferShapes(model);
  const { adapters, others } = fittedAdapters(typed.graph, tensors);
  const names = namesOf(typed);
  const graph = editGraph(
    typed.graph,
    (draft) => {
      for (const { value, tensor } of others) draft.setInitializer(value, tensor);
      for (const adapter of adapters) attach(draft, adapter, names);
    },
    names,
  );
  return withGraph(typed, graph);
}

function attach(draft: Draft, { site, factors }: FittedAdapter, names: Names): void {
  const g = graphBuilder({ names, infer: builderInference(TARGET_OPSET), prefix: site.weight.name });
  const down = g.constant(loraSuffixes.down, factors.down);
  const up = g.constant(loraSuffixes.up, factors.up);
  const scale = g.constant(loraSuffixes.scale, factors.scale);
  for (const [value, tensor] of g.initializers) draft.setInitializer(value, tensor);
  const branch = (node: Node, y: Value): Node[] => {
    const inner = graphBuilder({ names, infer: builderInference(TARGET_OPSET), prefix: `${site.weight.name}.lora/` });
    const base: Value = { ...y, name: names.fresh(`${y.name}:base`) };
    const scaled = inner.op("Mul", [site.layer.branch(inner, node, nth(node.inputs, 0), down, up), scale]);
    return [{ ...node, outputs: [base] }, ...inner.nodes, makeNode("Add", [base, scaled], [y])];
  };
  for (const node of site.nodes) draft.replaceNode(node, ...branch(node, nth(node.outputs, 0)));
}

/** @file Nodes that the WebGPU provider accepts and then fails to run. */
import { allGraphs, constantOf, intOf, type Model, type Node } from "../../ir/index.ts";

const failing: Readonly<Record<string, (node: Node, model: Model) => boolean>> = {
  MaxPool: ({ outputs }) => outputs[1] !== undefined,
  BatchNormalization: (node) => intOf(node, "training_mode", 0) === 1,
  ConvTranspose: (node, model) => isVolumetric(node, model),
  Conv: (node, model) => intOf(node, "group", 1) > 1 && isVolumetric(node, model),
};

export function failsOnGpu(node: Node, model: Model): boolean {
  if (node.domain !== "" && node.domain !== "ai.onnx") return false;
  return Object.hasOwn(failing, node.opType) && failing[node.opType]!(node, model);
}

/** Whether the weight has three spatial axes; an unknown rank is taken for one. */
function isVolumetric(node: Node, model: Model): boolean {
  const weight = node.inputs[1];
  const type = weight?.type;
  if (type?.kind === "tensor" && type.dims) return type.dims.length === 5;
  for (const graph of allGraphs(model.graph)) {
    const constant = constantOf(graph, weight);
    if (constant) return constant.dims.length === 5;
  }
  return true;
}

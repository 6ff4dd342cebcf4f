/** @file Where a graph's weights can carry adapters. */
import { constantOf, type Graph, type Node, type Tensor, usesOf, type Value } from "../../ir/index.ts";
import { type LoraLayer, loraLayers } from "./lora-layer.ts";

/** A weight and every node that multiplies with it. */
export interface LoraSite {
  readonly weight: Value;
  readonly tensor: Tensor;
  readonly nodes: readonly Node[];
  readonly layer: LoraLayer;
}

/** The layer of a node that has `weight` as its matrix. */
function loraLayerOf(node: Node | undefined, weight: Value): LoraLayer | undefined {
  return node?.domain === "" && node.inputs[1] === weight ? loraLayers.get(node.opType) : undefined;
}

/** Every float32 initializer that only layers of one kind read, as their matrix. */
export function loraSites(graph: Graph): LoraSite[] {
  const own = new Set(graph.nodes);
  return [...graph.initializers.keys()].flatMap((weight) => {
    const tensor = constantOf(graph, weight);
    const nodes = usesOf(graph, weight).map(({ node }) => node);
    const [first] = nodes;
    const layer = loraLayerOf(first, weight);
    if (!layer || tensor?.dtype !== "float32") return [];
    const isOwn = (node: Node | undefined): node is Node => node !== undefined && own.has(node);
    const known = nodes.filter(isOwn).filter((node) => loraLayerOf(node, weight) === layer);
    if (known.length < nodes.length || known.some((node) => !layer.shape(node, tensor.dims, 1))) return [];
    return [{ weight, tensor, nodes: known, layer }];
  });
}

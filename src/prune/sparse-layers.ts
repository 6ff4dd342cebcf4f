/** @file The layers whose weights can hold zeros in any place. */
import { isLayer, isWeighted, type Layer, layerAmong, overriddenIn, weightsIn } from "../calibration/index.ts";
import {
  allGraphs,
  type Graph,
  labelOf,
  type Model,
  type Node,
  type NodePattern,
  nodeMatcher,
  type Value,
} from "../ir/index.ts";

export interface Untouched {
  readonly layer: string;
  readonly reason: string;
}

export interface SparseLayers {
  /** The first reader of each weight. */
  readonly layers: readonly Layer[];
  /** Nodes with weights that stay as they are. */
  readonly untouched: readonly Untouched[];
}

/** In the order of the graphs; weights are float32 initializers that nothing but layers reads. */
export function sparseLayers(model: Model, exclude: readonly NodePattern[] = []): SparseLayers {
  const graphs = [...allGraphs(model.graph)];
  const nodes = graphs.flatMap((graph) => graph.nodes);
  const constant = weightsIn(model.graph);
  const overridden = overriddenIn(model);
  const isExcluded = nodeMatcher(exclude);
  const needed = readOtherwise(graphs, isExcluded);
  const stored = new Set<Value>(graphs.flatMap(({ initializers }) => [...initializers.keys()]));
  const layers = new Map<Value, Layer>();
  const untouched: Untouched[] = [];
  const reasonAgainst = (node: Node, { weight }: Layer): string | undefined => {
    if (!stored.has(weight)) return "its weight is computed from constants: clean the model first";
    if (needed.has(weight)) return "its weight is needed elsewhere";
    return layers.has(weight) ? "its weight is that of a layer before" : overridden(node);
  };
  for (const node of nodes.filter(isWeighted)) {
    const found = layerAmong(constant, node);
    const against = isLayer(found) ? reasonAgainst(node, found) : found.reason;
    const reason = isExcluded(node) ? "excluded by name" : against;
    if (reason !== undefined) untouched.push({ layer: labelOf(node), reason });
    else if (isLayer(found)) layers.set(found.weight, found);
  }
  return { layers: [...layers.values()], untouched };
}

/** Values that something else than the weight of a layer reads, or an excluded layer. */
function readOtherwise(graphs: readonly Graph[], isExcluded: (node: Node) => boolean): Set<Value> {
  const read = new Set<Value>();
  for (const { nodes, outputs } of graphs) {
    for (const output of outputs) read.add(output);
    for (const node of nodes) {
      const isLayerNode = isWeighted(node) && !isExcluded(node);
      for (const [port, value] of node.inputs.entries()) if (value && !(isLayerNode && port === 1)) read.add(value);
    }
  }
  return read;
}

/** @file Values of a model that are computed from constants alone: weights behind Q and DQ, casts and views. */
import {
  allGraphs,
  allNodes,
  ancestors,
  constantsIn,
  type Initializer,
  isSparse,
  type Model,
  makersAmong,
  type Tensor,
  type Value,
  withGraph,
} from "../ir/index.ts";
import { evaluate } from "../reference/index.ts";

/** Tensors of floats by value; what depends on data or is no float is absent. */
export function evaluateConstants(model: Model, wanted: ReadonlySet<Value>): ReadonlyMap<Value, Tensor> {
  const constant = constantsIn(model.graph);
  const found = new Map<Value, Tensor>();
  const computed: Value[] = [];
  for (const value of wanted) {
    const tensor = constant(value);
    if (!tensor) computed.push(value);
    else if (tensor.dtype.startsWith("float")) found.set(value, tensor);
  }
  if (computed.length === 0) return found;
  const results = evaluate(withGraph(model, constantPart(model, computed)), new Map(), { precision: "declared" });
  for (const value of computed) {
    const tensor = results.get(value.name);
    if (tensor?.dtype.startsWith("float")) found.set(value, tensor);
  }
  return found;
}

/** The nodes that make the values, with all initializers. */
function constantPart(model: Model, outputs: readonly Value[]) {
  const makers = makersAmong(allNodes(model));
  const needed = ancestors(outputs, (value) => makers.get(value));
  const graphs = [...allGraphs(model.graph)];
  const initializers = new Map<Value, Initializer>(
    graphs.flatMap((graph) => [...graph.initializers].filter(([, data]) => !isSparse(data))),
  );
  return {
    name: "constants",
    inputs: [],
    outputs,
    nodes: graphs.flatMap(({ nodes }) => nodes.filter((node) => needed.has(node))),
    initializers,
  };
}

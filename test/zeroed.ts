/** @file A model in which chosen positions count for nothing, in all its dims as before: what a cut is compared with. */
import {
  type Attribute,
  allGraphs,
  dataTypes,
  type Graph,
  isSparse,
  literalOf,
  type Model,
  mapSubgraphs,
  type Node,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
  withGraph,
} from "../src/ir/index.ts";
import { type AxisClasses, specOf } from "../src/ops/index.ts";

/** Zeros for all weights at the positions; scales, zero points and running statistics stay as they are. */
export function zeroed(model: Model, classes: AxisClasses, isRemoved: (of: number) => boolean): Model {
  const settings = settingsOf(model.graph);
  const cleared = (value: Value, tensor: Tensor): Tensor => {
    const { kind } = dataTypes[tensor.dtype];
    if (settings.has(value) || !(kind === "float" || tensor.dtype === "int8" || tensor.dtype === "int32"))
      return tensor;
    return withZeros(
      tensor,
      tensor.dims.map((_, axis) => removedOf(classes.along(value, axis), isRemoved)),
    );
  };
  const visit = (graph: Graph): Graph => {
    const inner = mapSubgraphs(graph, visit);
    const nodes = inner.nodes.map((node): Node => {
      const [output] = node.outputs;
      const literal = literalOf(node);
      if (!literal || !output) return node;
      const value: Attribute = { type: "tensor", value: cleared(output, literal) };
      return { ...node, attributes: new Map([["value", value]]) };
    });
    const initializers = new Map(
      [...inner.initializers].map(([value, data]) => [value, isSparse(data) ? data : cleared(value, data)]),
    );
    return { ...inner, nodes, initializers };
  };
  return withGraph(model, visit(model.graph));
}

function removedOf(along: Int32Array | undefined, isRemoved: (of: number) => boolean): ReadonlySet<number> {
  return new Set([...(along ?? [])].flatMap((of, i) => (isRemoved(of) ? [i] : [])));
}

function withZeros(tensor: Tensor, removed: readonly ReadonlySet<number>[]): Tensor {
  if (removed.every(({ size }) => size === 0)) return tensor;
  const values = numbersOf(tensor).slice();
  for (const i of values.keys()) {
    let rest = i;
    for (let axis = tensor.dims.length - 1; axis >= 0; axis--) {
      const length = tensor.dims[axis]!;
      if (removed[axis]!.has(rest % length)) values[i] = 0;
      rest = Math.floor(rest / length);
    }
  }
  return tensorFromNumbers(tensor.dtype, tensor.dims, values.subarray(0, sizeOf(tensor.dims)));
}

/** Values that a node reads as scales, zero points, statistics or bounds. */
function settingsOf(graph: Graph): Set<Value> {
  const found = new Set<Value>();
  for (const { nodes } of allGraphs(graph)) {
    for (const node of nodes) {
      const { settings = [], statistics = [] } = specOf(node)?.weights ?? {};
      for (const port of [...settings, ...statistics]) {
        const value = node.inputs[port];
        if (value) found.add(value);
      }
    }
  }
  return found;
}

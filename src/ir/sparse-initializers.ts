/** @file Initializers in the form that takes fewer bytes: `sparse_initializer` where most of a weight is zeros. */
import { editAllGraphs, makeNode } from "./edit.ts";
import { type Attributes, type Model, type Node, withGraph } from "./graph.ts";
import { denseOf, hasDenseForm, sparseBytes, sparseOf } from "./sparse-tensor.ts";
import { storedConstants } from "./stored-constants.ts";
import { type Initializer, isSparse, type SparseTensor, type Tensor } from "./tensor.ts";
import { allGraphs } from "./traverse.ts";

/**
 * Float32 initializers of the main graph as sparse ones where those take fewer bytes: 12 for each number that is not zero, against 4 for
 * each. ONNX Runtime makes them dense as it loads them, so that this changes the size of a file and nothing else. Exact.
 */
export function sparseInitializers(model: Model): Model {
  const stored = storedConstants(model);
  const sparse = smallerSparse(stored);
  return sparse === stored ? model : sparse;
}

/** The same of what is stored as an initializer already and lies in memory. */
export function smallerSparse(model: Model): Model {
  const { graph } = model;
  const inputs = new Set(graph.inputs);
  let changed = false;
  const initializers = [...graph.initializers].map(([value, data]) => {
    if (inputs.has(value) || !isSmallerSparse(data)) return [value, data] as const;
    changed = true;
    return [value, sparseOf(data)] as const;
  });
  return changed ? withGraph(model, { ...graph, initializers: new Map(initializers) }) : model;
}

/** What a sparse tensor adds to a file beside its numbers, at most. */
const OVERHEAD = 64;

function isSmallerSparse(data: Initializer): data is Tensor {
  if (isSparse(data) || data.dtype !== "float32" || !(data.data instanceof Uint8Array)) return false;
  const { dense, sparse } = sparseBytes(data);
  return sparse + OVERHEAD < dense;
}

/** Sparse initializers and constants of all graphs as dense initializers, which is what everything but a file works on. Exact. */
export function denseInitializers(model: Model): Model {
  return editAllGraphs(model, (draft) => {
    for (const [value, data] of draft.graph.initializers)
      if (isSparse(data) && hasDenseForm(data)) draft.setInitializer(value, denseOf(data));
    for (const node of draft.graph.nodes) {
      const data = sparseLiteralOf(node);
      const [output] = node.outputs;
      if (!data || !output || !hasDenseForm(data)) continue;
      const isReturned = draft.graph.outputs.includes(output);
      if (isReturned) draft.replaceNode(node, makeNode("Constant", [], [output], { attributes: valueAttribute(data) }));
      else draft.remove(node);
      if (!isReturned) draft.setInitializer(output, denseOf(data));
    }
  });
}

function valueAttribute(data: SparseTensor): Attributes {
  return new Map([["value", { type: "tensor", value: denseOf(data) }]]);
}

/** Sparse tensors of initializers and constants, in all graphs. */
export function sparseTensorsOf({ graph }: Model): SparseTensor[] {
  return [...allGraphs(graph)].flatMap(({ initializers, nodes }) => [
    ...[...initializers.values()].filter(isSparse),
    ...nodes.flatMap((node) => sparseLiteralOf(node) ?? []),
  ]);
}

function sparseLiteralOf({ opType, domain, attributes }: Node): SparseTensor | undefined {
  const sparse = opType === "Constant" && domain === "" ? attributes.get("sparse_value") : undefined;
  return sparse?.type === "sparse-tensor" ? sparse.value : undefined;
}

/** @file Tensors outside the model's bytes: found where they must not be, and made where one message cannot hold all. */
import {
  allGraphs,
  allNodes,
  bytesOfTensor,
  describeNode,
  editModel,
  type Initializer,
  isSparse,
  type Model,
  type Node,
  type Tensor,
} from "../ir/index.ts";
import type { ExternalBytes } from "./protocol.ts";

/** Where the model refers to data outside of it, if it does. */
export function externalValue(model: Model): string | undefined {
  for (const graph of allGraphs(model.graph)) {
    for (const [{ name }, data] of graph.initializers) {
      if (partsOf(data).some(isReference)) return `initializer ${JSON.stringify(name)}`;
    }
  }
  for (const node of allNodes(model)) {
    if (tensorsOf(node).some(isReference)) return describeNode(node);
  }
  return undefined;
}

function isReference({ data }: Tensor): boolean {
  return !(data instanceof Uint8Array) && !Array.isArray(data);
}

function partsOf(data: Initializer): Tensor[] {
  return isSparse(data) ? [data.values, data.indices] : [data];
}

function tensorsOf({ attributes }: Node): Tensor[] {
  const found: Tensor[] = [];
  for (const attribute of attributes.values()) {
    if (attribute.type === "tensor" || attribute.type === "sparse-tensor")
      for (const item of partsOf(attribute.value)) found.push(item);
    if (attribute.type === "tensors" || attribute.type === "sparse-tensors") {
      for (const item of attribute.value) for (const part of partsOf(item)) found.push(part);
    }
  }
  return found;
}

/** Smaller tensors stay in the model, where shape inference looks for them. */
const SMALL = 2 ** 20;

export interface Split {
  readonly model: Model;
  readonly external: readonly ExternalBytes[];
}

/** Moves the large initializers of the main graph beside the model when together they have more than `limit` bytes. */
export function splitLargeModel(model: Model, limit = 2 ** 30, small = SMALL): Split {
  const large = [...model.graph.initializers].filter(([, data]) => sizeOf(data) >= small);
  const total = large.reduce((sum, [, data]) => sum + sizeOf(data), 0);
  if (total <= limit) return { model, external: [] };
  const external: ExternalBytes[] = [];
  const split = editModel(model, (draft) => {
    for (const [value, initializer] of large) {
      const { dtype, dims } = initializer as Tensor;
      const data = bytesOfTensor(initializer as Tensor);
      const path = `tensor-${external.length}`;
      external.push({ path, data });
      draft.setInitializer(value, { dtype, dims, data: { location: path, offset: 0, length: data.byteLength } });
    }
  });
  return { model: split, external };
}

function sizeOf(data: Initializer): number {
  return !isSparse(data) && data.data instanceof Uint8Array ? data.data.byteLength : 0;
}

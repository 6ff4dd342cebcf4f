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
  type Value,
} from "../ir/index.ts";
import type { DataOrigin } from "../onnx/data-origin.ts";
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
  /** Where the files are that hold all of them already. */
  readonly folder?: string;
}

export interface SplitOptions {
  /** Bytes of large tensors up to which all stay in the model; default 2^30. */
  readonly limit?: number;
  /** Bytes of the smallest tensor that moves; default 2^20. */
  readonly small?: number;
  /** Bytes that lie in files of one folder. */
  readonly origins?: ReadonlyMap<Uint8Array, DataOrigin>;
}

/** Moves the large initializers of the main graph beside the model when together they pass the limit; where all have origins, to where they are. */
export function splitLargeModel(model: Model, options: SplitOptions = {}): Split {
  const { limit = 2 ** 30, small = SMALL, origins = new Map() } = options;
  const large = [...model.graph.initializers].filter(([, data]) => sizeOf(data) >= small) as [Value, Tensor][];
  const total = large.reduce((sum, [, data]) => sum + sizeOf(data), 0);
  if (total <= limit) return { model, external: [] };
  const known = large.map(([, tensor]) => origins.get(bytesOfTensor(tensor)));
  const folder = known.every((origin) => origin !== undefined) ? known[0]?.folder : undefined;
  const external: ExternalBytes[] = [];
  const split = editModel(model, (draft) => {
    for (const [i, [value, tensor]] of large.entries()) {
      const data = bytesOfTensor(tensor);
      const { location, offset } = folder === undefined ? { location: `tensor-${i}`, offset: 0 } : known[i]!;
      external.push({ path: location, data });
      draft.setInitializer(value, { ...tensor, data: { location, offset, length: data.byteLength } });
    }
  });
  return { model: split, external, ...(folder !== undefined && { folder }) };
}

function sizeOf(data: Initializer): number {
  return !isSparse(data) && data.data instanceof Uint8Array ? data.data.byteLength : 0;
}

/** @file What a session's inputs and outputs are: the runtime's words, corrected by the model's own types. */
import { type Dim, type Model, UNKNOWN_DIM, type ValueType } from "../ir/index.ts";
import type { WirePort } from "./protocol.ts";
import type { Port } from "./session.ts";

/** Types of graph inputs and outputs, by name. */
export type TypesByName = ReadonlyMap<string, ValueType | undefined>;

export function typesOf({ graph }: Model): TypesByName {
  return new Map([...graph.inputs, ...graph.outputs].map(({ name, type }) => [name, type]));
}

/**
 * The runtime reports an unknown rank as `[]`, exactly like a scalar; the model's declaration decides which it is,
 * and where it declares nothing the rank counts as unknown.
 */
export function portsFrom(ports: readonly WirePort[], types: TypesByName): Port[] {
  return ports.map(({ name, dtype, dims }) => {
    if (dtype === undefined) return { name, dtype };
    if (dims.length > 0) return { name, dtype, dims: dims.map(plainDim) };
    const declared = types.get(name);
    const isScalar = declared?.kind === "tensor" && declared.dims?.length === 0;
    return isScalar ? { name, dtype, dims: [] } : { name, dtype };
  });
}

/** The web build reports an unknown dim as −1 read without its sign. */
function plainDim(dim: Dim): Dim {
  return typeof dim === "number" && (dim < 0 || dim >= 2 ** 32 - 1) ? UNKNOWN_DIM : dim;
}

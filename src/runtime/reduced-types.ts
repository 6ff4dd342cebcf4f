/** @file Types for which the web build with WebGPU has no kernels. */
import { type DataType, dataTypes, describeNode, type Graph, intOf, isSparse, type Value } from "../ir/index.ts";

const absent: ReadonlySet<DataType> = new Set(["float64", "int16", "uint16"]);
const codes: ReadonlySet<number> = new Set([...absent].map((dtype) => dataTypes[dtype].code));

/** The first value or Cast of such a type in a graph, in words. */
export function reducedType({ inputs, initializers, nodes }: Graph): string | undefined {
  const typed = [...inputs, ...nodes.flatMap(({ outputs }) => outputs)].find((value) => value && isAbsent(value));
  if (typed) return `value ${JSON.stringify(typed.name)}`;
  for (const [{ name }, data] of initializers) {
    if (!isSparse(data) && absent.has(data.dtype)) return `initializer ${JSON.stringify(name)} of ${data.dtype}`;
  }
  const cast = nodes.find((node) => node.opType === "Cast" && codes.has(intOf(node, "to", 0)));
  return cast && describeNode(cast);
}

function isAbsent({ type }: Value): boolean {
  return type?.kind === "tensor" && absent.has(type.dtype);
}

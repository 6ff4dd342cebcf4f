/** @file Types for which the web build with WebGPU has no kernels. */
import type { DataType, Graph } from "../ir/index.ts";
import { firstOfTypes } from "./used-types.ts";

const absent: ReadonlySet<DataType> = new Set(["float64", "int16", "uint16"]);

/** The first value or Cast of such a type in a graph, in words. */
export function reducedType(graph: Graph): string | undefined {
  return firstOfTypes(graph, absent);
}

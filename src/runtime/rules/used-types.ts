/** @file Where a graph uses certain types. */
import { type DataType, dataTypes, describeNode, type Graph, intOf, isSparse, type Value } from "../../ir/index.ts";

/** The first value, initializer or Cast of such a type in a graph, in words. */
export function firstOfTypes({ inputs, initializers, nodes }: Graph, types: ReadonlySet<DataType>): string | undefined {
  const isOne = (value: Value | undefined) => value?.type?.kind === "tensor" && types.has(value.type.dtype);
  const typed = [...inputs, ...nodes.flatMap(({ outputs }) => outputs)].find(isOne);
  if (typed) return `value ${JSON.stringify(typed.name)}`;
  for (const [{ name }, data] of initializers) {
    if (!isSparse(data) && types.has(data.dtype)) return `initializer ${JSON.stringify(name)} of ${data.dtype}`;
  }
  const codes: ReadonlySet<number> = new Set([...types].map((dtype) => dataTypes[dtype].code));
  const cast = nodes.find((node) => node.opType === "Cast" && codes.has(intOf(node, "to", 0)));
  return cast && describeNode(cast);
}

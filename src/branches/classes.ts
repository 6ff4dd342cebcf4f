/** @file Structural classes: equal for values that are made alike from the same computed values, whatever the constants hold. */
import {
  type Attribute,
  constantOf,
  type Graph,
  maxOf,
  type Node,
  qualifiedName,
  subgraphsOf,
  type Value,
} from "../ir/index.ts";
import type { TypeOf } from "../rewrite/index.ts";

export interface Classes {
  /** Values of different classes are never isomorphic; those of one class are worth a closer look. */
  classOf(value: Value): number;
  /** The longest chain of nodes behind a value; equal within a class, 0 for what no node computes. */
  depthOf(value: Value): number;
}

/** Takes one walk over the nodes. Parts of one value of equal size, such as the outputs of a `Split`, are in one class. */
export function classesOf(graph: Graph, typeOf: TypeOf): Classes {
  const known = new Map<string, number>();
  const classes = new Map<Value, number>();
  const depths = new Map<Value, number>();
  const numberOf = (key: string): number => {
    const found = known.get(key) ?? known.size;
    known.set(key, found);
    return found;
  };
  const classOf = (value: Value): number => {
    const found = classes.get(value) ?? numberOf(leafKey(graph, value, known.size));
    classes.set(value, found);
    return found;
  };
  for (const node of graph.nodes) {
    if (constantOf(graph, node.outputs[0])) continue;
    const inputs = node.inputs.map((value) => (value ? classOf(value) : ""));
    const key = subgraphsOf(node).length > 0 ? `own ${known.size}` : nodeKey(node, inputs);
    const depth =
      1 +
      maxOf(
        node.inputs.map((value) => (value && depths.get(value)) || 0),
        0,
      );
    for (const output of node.outputs) {
      if (!output) continue;
      classes.set(output, numberOf(JSON.stringify([key, dimsKey(typeOf, output)])));
      depths.set(output, depth);
    }
  }
  return { classOf, depthOf: (value) => depths.get(value) ?? 0 };
}

function leafKey(graph: Graph, value: Value, unique: number): string {
  const constant = constantOf(graph, value);
  return constant && !graph.inputs.includes(value)
    ? `constant ${constant.dtype} ${constant.dims.join()}`
    : `value ${unique} ${value.name}`;
}

function nodeKey(node: Node, inputs: readonly (number | string)[]): string {
  const attributes = [...node.attributes]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, attribute]) => [name, attributeKey(attribute)]);
  return JSON.stringify([qualifiedName(node), node.overload ?? "", inputs, node.outputs.length, attributes]);
}

function attributeKey(attribute: Attribute): unknown {
  switch (attribute.type) {
    case "int":
    case "ints":
      return [attribute.type, ...[attribute.value].flat().map(String)];
    case "float":
    case "floats":
      return [attribute.type, ...[attribute.value].flat()];
    case "string":
      return [attribute.type, ...attribute.value];
    default:
      return attribute.type;
  }
}

function dimsKey(typeOf: TypeOf, value: Value): unknown {
  const type = typeOf(value);
  return type?.kind === "tensor" ? [type.dtype, type.dims] : type?.kind;
}

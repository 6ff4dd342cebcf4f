/** @file A graph over new values, so that it can stand beside another one that shares some of them. */
import { mapSubgraphs } from "./edit.ts";
import type { Graph, Node, Value } from "./graph.ts";
import type { Names } from "./names.ts";
import type { Initializer } from "./tensor.ts";

export interface Renamed {
  readonly graph: Graph;
  /** By the values of the original. */
  readonly values: ReadonlyMap<Value, Value>;
}

/** The same graph with every value and node under `prefix` + its name, subgraphs included; `given` replaces values. */
export function renamedGraph(graph: Graph, prefix: string, scope: Names, given: ReadonlyMap<Value, Value>): Renamed {
  const renewed = new Map(given);
  const renew = (value: Value): Value => {
    const known = renewed.get(value);
    if (known) return known;
    const next: Value = { ...value, name: scope.fresh(prefix + value.name) };
    renewed.set(value, next);
    return next;
  };
  const rename = (part: Graph): Graph => {
    const inner = mapSubgraphs(part, rename);
    const node = (old: Node): Node => ({
      ...old,
      name: scope.fresh(prefix + (old.name || old.opType)),
      inputs: old.inputs.map((value) => value && renew(value)),
      outputs: old.outputs.map((value) => value && renew(value)),
    });
    const data = [...part.initializers].map(([value, tensor]): [Value, Initializer] => [renew(value), tensor]);
    return {
      ...inner,
      inputs: inner.inputs.map(renew),
      outputs: inner.outputs.map(renew),
      nodes: inner.nodes.map(node),
      initializers: new Map(data),
    };
  };
  return { graph: rename(graph), values: renewed };
}

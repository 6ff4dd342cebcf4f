/** @file Fresh names. Names are data from outside: sets and maps only, never object keys. */
import type { Graph, Model } from "./graph.ts";
import { allGraphs, valuesOf } from "./traverse.ts";

export interface Names {
  /** `wanted`, or `wanted_1`, `wanted_2`, … when it is taken; the result is then taken. */
  fresh(wanted: string): string;
}

export function names(taken: Iterable<string> = []): Names {
  const used = new Set(taken);
  const next = new Map<string, number>();
  return {
    fresh(wanted) {
      let name = wanted;
      while (name === "" || used.has(name)) {
        const count = (next.get(wanted) ?? 0) + 1;
        next.set(wanted, count);
        name = `${wanted}_${count}`;
      }
      used.add(name);
      return name;
    },
  };
}

/** Names of every value and node in `graph` and the graphs inside it. */
export function* namesIn(graph: Graph): Generator<string> {
  for (const inner of allGraphs(graph)) {
    for (const value of valuesOf(inner)) yield value.name;
    for (const node of inner.nodes) if (node.name) yield node.name;
  }
}

export function namesOf(model: Model): Names {
  return names(namesIn(model.graph));
}

/** @file Minimum cut of a directed graph with real capacities (Dinic 1970). */
import { nth } from "../../checked.ts";
import { minOf } from "../../ir/index.ts";

export interface FlowNetwork {
  /** A new vertex; 0 is the source and 1 the sink. */
  vertex(): number;
  /** Capacity from a to b; `Infinity` for what must not be cut. */
  connect(a: number, b: number, capacity: number): void;
  /** Vertices on the source's side of a minimum cut. */
  sourceSide(): ReadonlySet<number>;
}

interface Arc {
  readonly to: number;
  capacity: number;
  readonly back: number;
}

const SMALLEST = 1e-9;

export function flowNetwork(): FlowNetwork {
  const arcs: Arc[][] = [[], []];

  const levels = (): Int32Array => {
    const level = new Int32Array(arcs.length).fill(-1);
    level[0] = 0;
    const queue = [0];
    for (let i = 0; i < queue.length; i++) {
      for (const { to, capacity } of nth(arcs, nth(queue, i))) {
        if (capacity <= SMALLEST || level[to]! >= 0) continue;
        level[to] = level[nth(queue, i)]! + 1;
        queue.push(to);
      }
    }
    return level;
  };

  /** One path from the source to the sink along rising levels, without recursion. */
  const augment = (level: Int32Array, next: Int32Array): boolean => {
    const path: Arc[] = [];
    let at = 0;
    while (at !== 1) {
      const arc = nth(arcs, at)[next[at]!];
      if (arc === undefined) {
        if (at === 0) return false;
        level[at] = -1;
        const last = path.pop()!;
        at = nth(nth(arcs, last.to), last.back).to;
        next[at]!++;
      } else if (arc.capacity > SMALLEST && level[arc.to] === level[at]! + 1) {
        path.push(arc);
        at = arc.to;
      } else next[at]!++;
    }
    const amount = minOf(path.map(({ capacity }) => capacity));
    for (const arc of path) {
      arc.capacity -= amount;
      nth(nth(arcs, arc.to), arc.back).capacity += amount;
    }
    return true;
  };

  return {
    vertex: () => arcs.push([]) - 1,
    connect(a, b, capacity) {
      nth(arcs, a).push({ to: b, capacity: Math.min(capacity, 1e12), back: nth(arcs, b).length });
      nth(arcs, b).push({ to: a, capacity: 0, back: nth(arcs, a).length - 1 });
    },
    sourceSide() {
      for (let level = levels(); level[1]! >= 0; level = levels()) {
        const next = new Int32Array(arcs.length);
        while (augment(level, next));
      }
      return new Set([...levels().entries()].filter(([, level]) => level >= 0).map(([vertex]) => vertex));
    },
  };
}

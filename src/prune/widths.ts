/** @file Widths of a network: classes of positions that are counted together, such as the channels of layers that are added up. */
import { must, nth } from "../checked.ts";
import { allGraphs, type Model, valuesOf } from "../ir/index.ts";
import type { AxisClasses } from "../ops/index.ts";
import type { WeightAxis } from "./weight-axes.ts";

export interface Width {
  /** Classes of which each can be cut. */
  readonly classes: readonly number[];
  /** Axes that nodes make with weights and that hold these classes. */
  readonly axes: readonly WeightAxis[];
  /** Positions of the first of these axes that belong to the width. */
  readonly positions: number;
  /** Why classes of the width cannot be cut, each reason once; those are not among `classes`. */
  readonly held: readonly string[];
}

/**
 * Widths in the order of their first layers. Classes are one width where they lie on the same axes all over the model, so that whichever of
 * them stay, no axis is left empty: queries and values that one product makes are two widths.
 */
export function widthsOf(model: Model, axes: readonly WeightAxis[], classes: AxisClasses): Width[] {
  const made = axes.filter(({ role }) => role === "out");
  const keys = axesOfClasses(model, classes, new Set(made.flatMap((axis) => [...axis.classes])));
  const widths = new Map<string, Set<number>>();
  for (const axis of made) {
    for (const of of axis.classes) {
      const key = must(keys, of);
      const width = widths.get(key) ?? new Set();
      widths.set(key, width.add(of));
    }
  }
  return [...widths.values()].map((members) => widthOf(members, made, classes));
}

/** For each class the list of axes on which it lies. */
function axesOfClasses(model: Model, classes: AxisClasses, wanted: ReadonlySet<number>): ReadonlyMap<number, string> {
  const lists = new Map<number, number[]>();
  let id = 0;
  for (const graph of allGraphs(model.graph)) {
    for (const value of valuesOf(graph)) {
      for (const axis of classes.dimsOf(value)?.keys() ?? []) {
        id++;
        for (const of of new Set(classes.along(value, axis))) {
          if (!wanted.has(of)) continue;
          const list = lists.get(of);
          if (list) list.push(id);
          else lists.set(of, [id]);
        }
      }
    }
  }
  return new Map([...lists].map(([of, list]) => [of, list.join(" ")]));
}

function widthOf(members: ReadonlySet<number>, made: readonly WeightAxis[], classes: AxisClasses): Width {
  const axes = made.filter((axis) => axis.classes.some((of) => members.has(of)));
  const held = new Set<string>();
  const free: number[] = [];
  for (const of of members) {
    const reason = classes.fixed(of);
    if (reason === undefined) free.push(of);
    else held.add(reason);
  }
  const positions = nth(axes, 0).classes.reduce((count, of) => count + (members.has(of) ? 1 : 0), 0);
  return { classes: free, axes, positions, held: [...held] };
}

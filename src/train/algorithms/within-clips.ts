/** @file Parameters that stay where the network reads them unclipped, as BinaryConnect keeps its weights: arXiv:1511.00363, section 2.4. */
import { constantOf, type Graph, type Model, numbersOf, type Value } from "../../ir/index.ts";
import { type Optimizer, type OptimizerName, optimizers } from "../optimizers/index.ts";
import type { Algorithm } from "./algorithm.ts";

type Bounds = readonly [low: number, high: number];

/**
 * Puts every parameter that the network reads through a `Clip` back between the constant bounds of it after each update: beyond them no
 * gradient would move it.
 */
export function withinClips(): Algorithm {
  return {
    name: "within-clips",
    start: () => ({
      prepare({ step, ...rest }) {
        const bounds = clippedParameters(rest.model);
        return { ...rest, step: { ...step, optimizer: keptWithin(step.optimizer, bounds) } };
      },
    }),
  };
}

/** The bounds of the initializers that a `Clip` with constant bounds reads, by name. */
export function clippedParameters({ graph }: Pick<Model, "graph">): ReadonlyMap<string, Bounds> {
  const found = new Map<string, Bounds>();
  for (const { opType, domain, inputs } of graph.nodes) {
    const [x, low, high] = inputs;
    if (opType !== "Clip" || domain !== "" || !x || !graph.initializers.has(x)) continue;
    found.set(x.name, [boundOf(graph, low, Number.NEGATIVE_INFINITY), boundOf(graph, high, Number.POSITIVE_INFINITY)]);
  }
  return found;
}

/** Infinite where the bound is absent or no constant. */
function boundOf(graph: Graph, value: Value | undefined, absent: number): number {
  const constant = value && constantOf(graph, value);
  return constant ? (numbersOf(constant)[0] ?? absent) : absent;
}

function keptWithin(given: Optimizer | OptimizerName, bounds: ReadonlyMap<string, Bounds>): Optimizer {
  const optimizer = typeof given === "string" ? optimizers[given]() : given;
  return {
    ...optimizer,
    update(g, inputs) {
      const updated = optimizer.update(g, inputs);
      const own = bounds.get(inputs.parameter.name);
      if (!own) return updated;
      const [low, high] = own;
      const above = low === Number.NEGATIVE_INFINITY ? updated.parameter : g.max(updated.parameter, low);
      return { ...updated, parameter: high === Number.POSITIVE_INFINITY ? above : g.min(above, high) };
    },
  };
}

/** @file Axes of weights along which positions can be cut, and what lies at these positions. */
import {
  allGraphs,
  fedInputs,
  type Graph,
  type Model,
  type Node,
  readsOf,
  subgraphsOf,
  type Value,
} from "../ir/index.ts";
import { type AxisClasses, axesOf } from "../ops/index.ts";

/**
 * An axis of weights that a node reads. `out`: its positions are those of an axis that the node makes, such as a convolution's filters or
 * the scales of a norm; `in`: the node sums over it.
 */
export interface WeightAxis extends WeightSide {
  readonly classes: Int32Array;
}

/** Weights that a node reads, seen from one of their axes. */
export interface WeightSide {
  readonly node: Node;
  readonly value: Value;
  readonly axis: number;
  readonly role: "out" | "in";
}

/** Of all nodes that read data, inner graphs included; axes of one position and of unknown length are left out. */
export function weightAxes(model: Model, classes: AxisClasses): WeightAxis[] {
  const data = dataValues(model);
  return [...allGraphs(model.graph)].flatMap(({ nodes }) =>
    nodes.flatMap((node) =>
      node.outputs.some((output) => output && data.has(output)) ? axesIn(node, data, classes) : [],
    ),
  );
}

function axesIn(node: Node, data: ReadonlySet<Value>, classes: AxisClasses): WeightAxis[] {
  const links = axesOf(classes.inference, node) ?? [];
  return links.flatMap(({ kind, inputs, outputs }) => {
    const role = kind === "reduced" ? "in" : "out";
    if (role === "out" && outputs.length === 0) return [];
    return inputs.flatMap(({ port, axis }): WeightAxis[] => {
      const value = node.inputs[port];
      if (!value || data.has(value)) return [];
      const along = classes.along(value, axis);
      return along && along.length > 1 ? [{ node, value, axis, role, classes: along }] : [];
    });
  });
}

/** Values that depend on what is fed: inputs of the model and of bodies, and all that is made of them. */
function dataValues({ graph }: Model): Set<Value> {
  const data = new Set<Value>(fedInputs(graph));
  const visit = ({ nodes }: Graph): void => {
    for (const node of nodes) {
      for (const inner of subgraphsOf(node)) {
        for (const input of inner.inputs) data.add(input);
        visit(inner);
      }
      const made = subgraphsOf(node).flatMap(({ outputs }) => outputs);
      if (![...readsOf(node), ...made].some((value) => data.has(value))) continue;
      for (const output of node.outputs) if (output) data.add(output);
    }
  };
  visit(graph);
  return data;
}

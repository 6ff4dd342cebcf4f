/** @file Inference over whole models and over graphs that are being built, with the table put in. */
import {
  type Graph,
  type InferTypes,
  type Initializer,
  isSparse,
  type Model,
  mapSubgraphs,
  type Node,
  readsOf,
  type Value,
  type ValueType,
  withGraph,
} from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type Inference, type InferOptions, inferWith, isMisfit, type NodeInference, nodeInference } from "./infer.ts";
import type { AxisEnd, AxisLink } from "./spec.ts";
import { specOf } from "./spec-of.ts";

const inferOptionsNames: OptionNames<InferOptions> = { feeds: true, symbols: true, opaque: true, apart: true };

/**
 * Types of all values of the model, subgraphs included; function calls are inferred through their bodies.
 * Time is linear in the number of nodes. What is not known is left out, never guessed; what cannot be is a problem.
 */
export function inferModel(model: Model, options: InferOptions = {}): Inference {
  checkOptions(options, inferOptionsNames);
  return inferWith(specOf, model, options);
}

/** How the axes of a node hang together; `undefined` when it is not known. */
export function axesOf(inference: Inference, node: Node): readonly AxisLink[] | undefined {
  try {
    return specOf(node)
      ?.axes(inference.facts(node))
      ?.map((link) => ({
        ...link,
        inputs: given(link.inputs, node.inputs),
        outputs: given(link.outputs, node.outputs),
      }));
  } catch (error) {
    if (isMisfit(error)) return undefined;
    throw error;
  }
}

/** Ends at values that the node really has. */
function given(ends: readonly AxisEnd[], values: readonly (Value | undefined)[]): readonly AxisEnd[] {
  return ends.filter(({ port }) => values[port] !== undefined);
}

/** The model with the inferred type on every value. Values are new objects, names stay. */
export function inferShapes(model: Model, options: InferOptions = {}): Model {
  const { types } = inferModel(model, options);
  const renewed = new Map<Value, Value>();
  const renew = (value: Value): Value => {
    const known = renewed.get(value);
    if (known) return known;
    const type = types.get(value);
    const next = type && type !== value.type ? { ...value, type } : value;
    renewed.set(value, next);
    return next;
  };
  return withGraph(model, renewedGraph(model.graph, renew));
}

function renewedGraph(graph: Graph, renew: (value: Value) => Value): Graph {
  const inner = mapSubgraphs(graph, (subgraph) => renewedGraph(subgraph, renew));
  const optional = (value: Value | undefined): Value | undefined => value && renew(value);
  return {
    ...inner,
    inputs: inner.inputs.map(renew),
    outputs: inner.outputs.map(renew),
    nodes: inner.nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(optional),
      outputs: node.outputs.map(optional),
    })),
    initializers: new Map([...inner.initializers].map(([value, data]): [Value, Initializer] => [renew(value), data])),
  };
}

/**
 * The builder's inference: output types of each new node from the types of its inputs, constants and shape
 * arithmetic included. Throws `ShapeError` when the inputs do not fit.
 */
export function builderInference(opset: number): InferTypes {
  const inference = nodeInference(specOf, new Map([["", opset]]));
  const seen = new WeakMap<readonly Node[], number>();
  return (node, { nodes, initializers }) => {
    for (const value of readsOf(node)) learn(inference, value, initializers.get(value));
    for (let i = seen.get(nodes) ?? 0; i < nodes.length; i++) inference.follow(nodes[i]!);
    seen.set(nodes, nodes.length);
    return inference.types(node);
  };
}

function learn(inference: NodeInference, value: Value, data: Initializer | undefined): void {
  const type: ValueType | undefined = value.type;
  inference.know(value, type, data && !isSparse(data) ? data : undefined);
}

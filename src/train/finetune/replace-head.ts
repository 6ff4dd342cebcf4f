/** @file A new head in the place of a network's last layer, so that it can learn other classes. */

import { random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import {
  dataTypes,
  dependents,
  describeNode,
  editGraph,
  fedInputs,
  type Graph,
  type GraphBuilder,
  graphBuilder,
  type Model,
  type Names,
  type Node,
  namesOf,
  producerOf,
  readsOf,
  sizeOf,
  TARGET_OPSET,
  tensorFromNumbers,
  type Value,
  withGraph,
  withoutDeadNodes,
} from "../../ir/index.ts";
import { type AxisLink, axesOf, builderInference, inferModel, inferShapes } from "../../ops/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { answerOutput } from "../feeds/answer-output.ts";
import { outputOf } from "../step/objective.ts";
import { dimsOf, dtypeOf } from "../step/step-builder.ts";

export interface HeadOptions {
  readonly classes: number;
  /** The value that the new head reads; what the last linear layer reads when absent. */
  readonly at?: string;
  /** The output whose head is replaced; of several the one that `answerOutput` finds when absent. */
  readonly output?: string;
  /** Decides the initial values. */
  readonly seed?: number;
}

export interface NewHead {
  readonly model: Model;
  /** The value that the head reads. */
  readonly at: string;
  /** The initializers of the head. */
  readonly parameters: readonly string[];
}

const headOptionsNames: OptionNames<HeadOptions> = { classes: true, at: true, output: true, seed: true };

/**
 * Cuts a network before its head and ends it with a linear layer over `classes`, whose weights are uniform within 1/√features.
 * The output keeps its name and holds logits. Features [batch, channels, height, width] (and other ranks above 3) are averaged over
 * their positions first; of [batch, time, features] each position gets its own logits.
 *
 * Without `at` the cut is before the last layer that sums an axis of the data with weights (MatMul, Gemm, Conv, …); nothing with weights
 * of that kind follows it.
 *
 * @throws UsageError when there is no such value or output, when no such layer is found, or when the number of features is unknown.
 */
export function replaceHead(model: Model, options: HeadOptions): NewHead {
  const { classes, at, output, seed = 0 } = checkOptions(options, headOptionsNames);
  checkCount("classes", classes);
  const typed = inferShapes(model);
  const names = namesOf(typed);
  const old = output === undefined ? answerOutput(typed.graph) : outputOf(typed.graph, output);
  const cut = at === undefined ? lastFeatures(typed, old) : namedValue(typed.graph, at);
  const g = graphBuilder({ names, infer: builderInference(TARGET_OPSET), prefix: "head/" });
  const pooled = dimsOf(cut).length > 3 ? averaged(g, cut) : cut;
  const features = featuresOf(pooled);
  const source = random(seed, HEAD);
  const parameter = (name: string, dims: readonly number[]): Value => {
    const values = new Float32Array(sizeOf(dims)).map(() => (2 * source.uniform() - 1) / Math.sqrt(features));
    return g.constant(name, tensorFromNumbers(dtypeOf(cut), dims, values));
  };
  const [weight, bias] = [parameter("weight", [features, classes]), parameter("bias", [classes])];
  const logits = g.op("Add", [g.op("MatMul", [pooled, weight]), bias]);
  const graph = endedBy(typed.graph, g, old, logits, names);
  return { model: withGraph(typed, graph), at: cut.name, parameters: [weight.name, bias.name] };
}

/** The graph with the builder's nodes, `logits` in the place and under the name of `old`, and nothing that no output needs. */
function endedBy(graph: Graph, g: GraphBuilder, old: Value, logits: Value, names: Names): Graph {
  const outputs = graph.outputs.map((value) => (value === old ? logits : value));
  const initializers = new Map([...graph.initializers, ...g.initializers]);
  const joined = { ...graph, outputs, ...withoutDeadNodes([...graph.nodes, ...g.nodes], initializers, outputs) };
  return editGraph(
    joined,
    (draft) => {
      draft.substitute(old, { ...old, name: names.fresh(old.name) });
      draft.substitute(logits, { ...logits, name: old.name });
    },
    names,
  );
}

/** The stream of random numbers. */
const HEAD = 0x4ead;

/** What the last linear layer before `end` reads: it sums one axis of the data with constant weights; what follows it has no weights. */
function lastFeatures(model: Model, end: Value): Value {
  const { graph } = model;
  const inputs = fedInputs(graph);
  const fromData = dependents(graph.nodes, new Set(inputs));
  const inference = inferModel(model);
  const isFloat = (of: Value): boolean => {
    const type = inference.types.get(of);
    return type?.kind !== "tensor" || dataTypes[type.dtype].kind === "float";
  };
  let value = end;
  for (;;) {
    const node = producerOf(graph, value);
    const read = node ? readsOf(node).filter((input) => fromData.has(input)) : [];
    const [only] = read;
    const links = node && axesOf(inference, node);
    const isKnown = links !== undefined || (node && readsOf(node).length === 1);
    if (!node || !only || read.length > 1 || !isKnown || (isFloat(only) && !isFloat(value))) throw noHead(end, node);
    if (links?.some((link) => isWeighted(link, node, only))) return only;
    value = only;
  }
}

/** Whether the link is a sum over an axis of `data` and one of another input. */
function isWeighted({ kind, inputs }: AxisLink, node: Node, data: Value): boolean {
  const read = inputs.map(({ port }) => node.inputs[port]);
  return kind === "reduced" && read.includes(data) && read.some((value) => value !== data);
}

function noHead(end: Value, node: Node | undefined): UsageError {
  return new UsageError("no last linear layer was found", {
    expected: "a layer with constant weights, such as MatMul, Gemm or Conv, before the output",
    got: node ? describeNode(node) : "an input of the model",
    where: `output ${JSON.stringify(end.name)}`,
    hint: "Name the value that the new head shall read.",
  });
}

function namedValue(graph: Graph, name: string): Value {
  const made = graph.nodes.flatMap(({ outputs }) => outputs.filter((value) => value !== undefined));
  const found = made.find((value) => value.name === name);
  if (found) return found;
  throw new UsageError("the model computes no such value", {
    expected: `one such as ${made
      .slice(-8)
      .map((value) => JSON.stringify(value.name))
      .join(", ")}`,
    got: JSON.stringify(name),
  });
}

/** [batch, channels, …] → [batch, channels]. */
function averaged(g: GraphBuilder, x: Value): Value {
  return g.op("Flatten", [g.op("GlobalAveragePool", [x])], { axis: 1 });
}

function featuresOf(x: Value): number {
  const dims = dimsOf(x);
  const features = dims.at(-1);
  if (dims.length >= 2 && typeof features === "number") return features;
  throw new UsageError("a head needs a fixed number of features", {
    expected: "[batch, features]",
    got: `[${dims.join(", ")}]`,
    where: `value ${JSON.stringify(x.name)}`,
  });
}

/** @file A network with exits as stages: what each exit needs beyond the exits before it, and how sure it is. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { ancestors, type Graph, type Model, type Node, producerOf, type Value, withGraph } from "../../ir/index.ts";
import { dimsOf, extend, type Layers } from "../../nn/index.ts";
import { agreeInDims, inferShapes } from "../../ops/index.ts";
import { noWeights } from "../lowering/no-weights.ts";
import { type Confidence, type ConfidenceName, confidenceOf } from "./confidences/index.ts";

export interface StageOptions {
  /** Names of outputs with the logits of the exits, first to last. */
  readonly exits: readonly string[];
  /** `max-probability` by default. */
  readonly confidence?: Confidence | ConfidenceName;
}

export interface ScoredModel {
  /** Outputs: the whole network's logits, those of the exits, their scores. */
  readonly model: Model;
  /** Name of the whole network's output. */
  readonly output: string;
  readonly exits: readonly string[];
  /** Names of the outputs with the scores [batch]. */
  readonly scores: readonly string[];
}

/**
 * The model with the confidence of each exit as a further output.
 *
 * @throws UsageError for exits that are not outputs, or when no output is left for the whole network.
 */
export function withScores(model: Model, { exits, confidence = "max-probability" }: StageOptions): ScoredModel {
  const { graph } = model;
  const measure = confidenceOf(confidence);
  const missing = exits.find((name) => !graph.outputs.some((value) => value.name === name));
  const full = missing === undefined ? wholeOutput(model, exits) : undefined;
  if (missing !== undefined || exits.length === 0 || !full) {
    throw new UsageError("the exits do not fit the model", {
      expected: `names of outputs with the dims of one that is no exit: ${graph.outputs.map(({ name }) => name).join(", ")}`,
      got: exits.join(", ") || "none",
    });
  }
  const scores = exits.map((_, i) => `score/${i}`);
  const chosen = withGraph(model, { ...graph, outputs: [full, ...exits.map((name) => named(graph, name))] });
  const scored = extend(chosen, noWeights, (n, value) => {
    const logits = exits.map(value);
    exits.forEach((_, i) => {
      const scope: Layers = n.scope(`confidence${i}`);
      n.output(measure.build(scope, logits.slice(0, i + 1)), nth(scores, i));
    });
  });
  return { model: scored, output: full.name, exits, scores };
}

/** The first output that is no exit and has the dims of all exits: outputs of other kinds may stand before it. */
function wholeOutput(model: Model, exits: readonly string[]): Value | undefined {
  const { outputs } = inferShapes(model).graph;
  const logits = exits.map((name) => dimsOf(named({ outputs }, name)));
  const fits = (value: Value): boolean => logits.every((dims) => agreeInDims(dims, dimsOf(value)));
  const found = outputs.find((value) => !exits.includes(value.name) && fits(value));
  return found && model.graph.outputs.find(({ name }) => name === found.name);
}

export function named({ outputs }: Pick<Graph, "outputs">, name: string): Value {
  const found = outputs.find((value) => value.name === name);
  if (found) return found;
  throw new UsageError("the model has no such output", { got: JSON.stringify(name) });
}

/** For each list of values the nodes that it needs and the lists before it do not, in the order of the graph. */
export function stagesOf(graph: Graph, wanted: readonly (readonly Value[])[]): Node[][] {
  const placed = new Set<Node>();
  return wanted.map((values) => {
    const needed = ancestors(values, (value) => {
      const node = producerOf(graph, value);
      return node && placed.has(node) ? undefined : node;
    });
    for (const node of needed) placed.add(node);
    return graph.nodes.filter((node) => needed.has(node));
  });
}

/** @file Several teachers as one. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { type Model, type Names, names, renamedGraph, type Value, withGraph } from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { answerOutput, newBuilder } from "../train/index.ts";
import { joined, teacherInputs } from "./joint-model.ts";
import { checkLogits } from "./losses/distillation-loss.ts";

export interface EnsembleOptions {
  /** Of each model, in order; equal ones when absent. Only their shares of the sum count. */
  readonly weights?: readonly number[];
  /** T, at which distributions are averaged: that of the loss which reads them. 1 by default. */
  readonly temperature?: number;
  /** The value of each model that is its answer; the output that `answerOutput` finds when absent. */
  readonly outputs?: readonly string[];
}

const ensembleOptionsNames: OptionNames<EnsembleOptions> = { weights: true, temperature: true, outputs: true };

/**
 * One model of several over the inputs of the first: its first output, `ensemble`, is T · log Σ wₖ softmax(zₖ / T), of which the softmax at T is the
 * weighted mean of theirs; behind it stand the answers of each. Values of the k-th have the prefix `teacherk/`.
 *
 * @throws UsageError for inputs that differ, ShapeError for answers that do
 */
export function ensemble(models: readonly Model[], options: EnsembleOptions = {}): Model {
  const { temperature = 1, outputs } = checkOptions(options, ensembleOptionsNames);
  const weights = sharesOf(models, options.weights);
  const scope = names();
  const { whole, answers } = together(models, outputs, scope);
  const g = newBuilder(scope, "ensemble/");
  for (const answer of answers) checkLogits("an ensemble", nth(answers, 0), answer);
  const shares = answers.map((answer, i) => g.mul(g.softmax(g.div(answer, temperature), 1), nth(weights, i)));
  const mean = shares.reduce((sum, share) => g.add(sum, share));
  const scores = g.mul(g.log(g.max(mean, 1e-30)), temperature);
  const output: Value = { ...scores, name: scope.fresh("ensemble") };
  const { graph } = whole;
  const last = { ...nth(g.raw.nodes, g.raw.nodes.length - 1), outputs: [output] };
  return withGraph(whole, {
    ...graph,
    outputs: [output, ...answers],
    nodes: [...graph.nodes, ...g.raw.nodes.slice(0, -1), last],
    initializers: new Map([...graph.initializers, ...g.raw.initializers]),
  });
}

/** Models in one graph over the inputs of the first, values of the k-th behind `teacherk/`, and the answer of each. */
export function together(
  models: readonly Model[],
  outputs: readonly (string | undefined)[] | undefined,
  scope: Names = names(),
): { readonly whole: Model; readonly answers: readonly Value[] } {
  const typed = models.map((model) => inferShapes(model));
  const first = nth(typed, 0);
  const parts = typed.map((model, i) => renamedPart(first, model, `teacher${i + 1}/`, outputs?.[i], scope));
  const [base, ...others] = parts;
  const joint = others.reduce((sum, part) => joined(sum, part.model, part.model.graph), nth([base], 0).model);
  const answers = parts.map(({ answer }) => answer);
  return { whole: withGraph(joint, { ...joint.graph, outputs: answers }), answers };
}

function sharesOf(models: readonly Model[], given: readonly number[] | undefined): readonly number[] {
  const weights = given ?? models.map(() => 1);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const fits = weights.length === models.length && weights.every((weight) => weight >= 0) && sum > 0;
  if (fits && models.length > 0) return weights.map((weight) => weight / sum);
  throw new UsageError("every teacher has a weight of its own", {
    expected: `${models.length} weights of 0 or more, not all 0`,
    got: weights.join(", ") || "no teacher",
  });
}

interface Part {
  readonly model: Model;
  readonly answer: Value;
}

function renamedPart(first: Model, model: Model, prefix: string, named: string | undefined, scope: Names): Part {
  const isFirst = model === first;
  const inputs = isFirst ? new Map<Value, Value>() : teacherInputs(first.graph, model.graph);
  for (const { name } of isFirst ? first.graph.inputs : []) scope.fresh(name);
  const own = isFirst ? new Map(first.graph.inputs.map((value) => [value, value] as const)) : inputs;
  const { graph, values } = renamedGraph(model.graph, prefix, scope, own);
  const wanted = named ?? answerOutput(model.graph).name;
  const answer = [...values].find(([value]) => value.name === wanted)?.[1];
  if (answer) return { model: withGraph(model, graph), answer };
  throw new UsageError("a teacher has no such value", { got: JSON.stringify(wanted), where: prefix.slice(0, -1) });
}

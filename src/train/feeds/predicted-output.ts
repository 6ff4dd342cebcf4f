/** @file Which of several outputs a loss of classes reads where none is named: the one with as many scores as the data has classes, behind most of the network. */
import { nth } from "../../checked.ts";
import type { Dataset } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { dataTypes, type Graph, type Model, type Value } from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { type Loss, lossOf } from "../losses/index.ts";
import type { ObjectiveOptions } from "../step/objective.ts";
import { deepest } from "./answer-output.ts";

interface Scores {
  readonly value: Value;
  readonly classes: number;
}

/**
 * The name of the output to read; nothing where the first, which is the usual one, is as good as any.
 *
 * @throws UsageError where several outputs could be scores, of different lengths, and the data decides for none
 */
export async function predictedOutput(
  model: Model,
  data: Dataset,
  { output, loss: choice }: ObjectiveOptions,
): Promise<string | undefined> {
  const loss = choice && lossOf(choice);
  if (output !== undefined || loss?.reads !== "classes" || model.graph.outputs.length < 2) return output;
  const { graph } = inferShapes(model);
  const scores = graph.outputs.flatMap((value) => scoresOf(value));
  const count = await classesIn(data, loss);
  const fitting = scores.filter(({ classes }) => classes === count);
  if (fitting.length > 0) return deepestOf(graph, fitting);
  if (new Set(scores.map(({ classes }) => classes)).size > 1 && isScores(graph)) throw undecided(graph, count);
  const isFirstOfRows = rankOf(nth(graph.outputs, 0)) <= 2;
  return scores.length > 0 && isFirstOfRows ? deepestOf(graph, scores) : undefined;
}

function deepestOf(graph: Graph, scores: readonly Scores[]): string {
  const values = scores.map(({ value }) => value);
  return deepest(graph, values)!.name;
}

/** Rows of floats, of a known length above 1. */
function scoresOf(value: Value): Scores[] {
  const { type } = value;
  if (type?.kind !== "tensor" || dataTypes[type.dtype].kind !== "float" || type.dims?.length !== 2) return [];
  const [, classes] = type.dims;
  return typeof classes === "number" && classes > 1 ? [{ value, classes }] : [];
}

function isScores({ outputs: [first] }: Graph): boolean {
  return first !== undefined && scoresOf(first).length > 0;
}

function rankOf({ type }: Value): number {
  return type?.kind === "tensor" ? (type.dims?.length ?? 0) : 0;
}

/** Names of classes, or one more than the greatest label; nothing where the labels cannot be read without the samples. */
async function classesIn(data: Dataset, { ignoreIndex }: Loss): Promise<number | undefined> {
  if (data.classes) return data.classes.length;
  const labels = await data.labels?.();
  if (!labels) return undefined;
  let greatest = -1;
  for (let i = 0; i < labels.length; i++) if (labels[i] !== ignoreIndex) greatest = Math.max(greatest, labels[i]!);
  return greatest + 1;
}

function undecided({ outputs }: Graph, count: number | undefined): UsageError {
  const named = outputs.map((value) => {
    const [scores] = scoresOf(value);
    return `${JSON.stringify(value.name)}${scores ? ` [${scores.classes}]` : ""}`;
  });
  return new UsageError("several outputs could be the scores of the classes", {
    expected: count === undefined ? "an output that is named" : `one output with ${count} scores, or one that is named`,
    got: named.join(", "),
    hint: "Name the one that the loss reads: the option output, or --output.",
  });
}

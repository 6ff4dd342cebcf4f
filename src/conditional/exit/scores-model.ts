/** @file A classifier without the softmax at its end, and with it again. */
import { UnsupportedError } from "../../errors.ts";
import { editModel, intOf, type Model, producerOf, type Value, withGraph } from "../../ir/index.ts";
import { extend } from "../../nn/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { answerScores, areClasses } from "../../train/index.ts";
import { keepOutputs } from "../lowering/keep-outputs.ts";
import { noWeights } from "../lowering/no-weights.ts";
import { named } from "./staged-model.ts";

export interface ScoresModel {
  /** Its one output are the scores. */
  readonly model: Model;
  readonly scores: string;
  /** The answer of the original: the scores, or their softmax. */
  readonly answer: string;
}

/** @throws UnsupportedError for a model of several outputs, or whose output are no classes. */
export async function withoutSoftmax(model: Model): Promise<ScoresModel> {
  const { typed, answer, scores } = classifierOf(model);
  const cut = scores === answer ? typed : editModel(typed, (draft) => draft.setOutputs([scores]));
  return { model: await keepOutputs(cut, cut.graph.outputs), scores: scores.name, answer: answer.name };
}

/** What the model answers with. @throws as `withoutSoftmax` */
export function classifierOf(model: Model): { readonly typed: Model; readonly answer: Value; readonly scores: Value } {
  const typed = inferShapes(model);
  const [answer, ...others] = typed.graph.outputs;
  const scores = answer && others.length === 0 ? answerScores(typed.graph) : undefined;
  if (answer && scores && areClasses(scores)) return { typed, answer, scores };
  throw new UnsupportedError("a classifier is needed", {
    expected: "one output of classes [batch, classes], scores or their softmax",
    got: typed.graph.outputs.map(({ name, type }) => `${name} ${dimsText(type)}`).join(", "),
  });
}

function dimsText(type: Value["type"]): string {
  return type?.kind === "tensor" ? `[${type.dims?.join(", ") ?? "unknown"}]` : "of no known type";
}

/** The model with the softmax that the original has behind its scores, if any, in the place of the first output. */
export function withSoftmaxOf(model: Model, original: Model): Model {
  const { typed, answer, scores } = classifierOf(original);
  if (answer === scores) return model;
  const softmax = producerOf(typed.graph, answer);
  const axis = softmax ? intOf(softmax, "axis", -1) : -1;
  const extended = extend(model, noWeights, (n, value) => n.output(n.softmax(value(scores.name), axis), answer.name));
  const { outputs } = extended.graph;
  const kept = outputs.filter(({ name }) => name !== scores.name && name !== answer.name);
  return withGraph(extended, { ...extended.graph, outputs: [named(extended.graph, answer.name), ...kept] });
}

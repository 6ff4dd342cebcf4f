/** @file What is minimised: the task's loss and further terms, over any outputs of a model. */
import { UsageError } from "../../errors.ts";
import type { Graph, LabelDomain, Names, Value } from "../../ir/index.ts";
import { type Loss, type LossName, lossOf } from "../losses/index.ts";
import { labelDomain } from "../losses/loss.ts";
import { freshInput } from "./fresh-input.ts";
import { dimsOf, type StepBuilder } from "./step-builder.ts";

/** What a term may read. */
export interface TermContext {
  /** An output of the model. Throws UsageError when there is none of this name. */
  output(name: string): Value;
  /** The output that the loss reads. */
  readonly prediction: Value;
  /** The labels of the loss. Throws UsageError in a run without a loss. */
  labels(): Value;
}

/** A part of what is minimised beside the loss: an auxiliary loss, a teacher's soft targets, a penalty. */
export interface LossTerm {
  /** Under which it is told; differs from "loss" and from the other terms. */
  readonly name: string;
  /** Its factor in the sum; 1 when absent. */
  readonly weight?: number;
  /** A scalar, without the weight. */
  build(g: StepBuilder, context: TermContext): Value;
}

export interface ObjectiveOptions {
  /** May be left out when there are terms; the data then needs no labels. */
  readonly loss?: Loss | LossName;
  readonly terms?: readonly LossTerm[];
  /**
   * The output that the loss reads. When absent, the first; `fit` and `evaluateModel` look among several, for a loss of classes, for the one
   * with as many scores as the data has classes, behind most of the network.
   */
  readonly output?: string;
}

export interface Objective {
  /** loss + Σ weight · term, a scalar. */
  readonly total: Value;
  readonly prediction: Value;
  /** The input that takes the labels; absent without a loss. */
  readonly labels?: Value;
  /** Which labels the loss takes; absent without one. */
  readonly labelDomain?: LabelDomain;
  readonly terms: readonly { readonly name: string; readonly value: Value }[];
}

/** Emits the objective over a typed graph into `g`. */
export function buildObjective(g: StepBuilder, graph: Graph, options: ObjectiveOptions, scope: Names): Objective {
  const { terms = [] } = options;
  checkTerms(options);
  const prediction = outputOf(graph, options.output);
  const loss = options.loss && lossOf(options.loss);
  const type = loss?.labels(prediction);
  const labels = type && freshInput(scope, "labels", type.dtype, type.dims ?? []);
  const context: TermContext = {
    prediction,
    output: (name) => outputOf(graph, name),
    labels() {
      if (labels) return labels;
      throw new UsageError("a term reads labels, which only a loss brings", { hint: "Give the run a loss." });
    },
  };
  const built = terms.map((term) => ({ name: term.name, weight: term.weight, value: scalarOf(g, term, context) }));
  const parts = built.map(({ value, weight = 1 }) => (weight === 1 ? value : g.mul(value, weight)));
  if (loss && labels) parts.unshift(loss.build(g, prediction, labels));
  const total = parts.reduce((sum, part) => g.add(sum, part));
  return {
    total,
    prediction,
    ...(labels && { labels }),
    ...(loss && { labelDomain: labelDomain(loss, prediction) }),
    terms: built.map(({ name, value }) => ({ name, value })),
  };
}

/** Whether the labels are the probabilities of classes. */
export function takesProbabilities({ loss }: ObjectiveOptions): boolean {
  return (loss && lossOf(loss).takesProbabilities) ?? false;
}

function checkTerms({ loss, terms = [] }: ObjectiveOptions): void {
  if (!loss && terms.length === 0) {
    throw new UsageError("there is nothing to minimise", { expected: "a loss, or terms", got: "neither" });
  }
  const names = new Set(["loss"]);
  for (const { name, weight = 1 } of terms) {
    if (names.has(name)) {
      throw new UsageError("a term needs a name of its own", { got: JSON.stringify(name) });
    }
    if (!Number.isFinite(weight)) {
      throw new UsageError("the weight of a term must be a finite number", {
        got: String(weight),
        where: `term ${name}`,
      });
    }
    names.add(name);
  }
}

function scalarOf(g: StepBuilder, term: LossTerm, context: TermContext): Value {
  const value = term.build(g, context);
  const dims = dimsOf(value);
  if (dims.length === 0) return value;
  throw new UsageError("a term of the loss has to be a scalar", {
    expected: "rank 0",
    got: `[${dims.join(", ")}]`,
    where: `term ${term.name}`,
  });
}

/** The output of this name; the first without one. */
export function outputOf({ outputs }: Graph, name: string | undefined): Value {
  const found = name === undefined ? outputs[0] : outputs.find((value) => value.name === name);
  if (found) return found;
  throw new UsageError("the model has no such output", {
    expected: outputs.map((value) => JSON.stringify(value.name)).join(", ") || "an output",
    got: JSON.stringify(name),
  });
}

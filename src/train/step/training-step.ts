/** @file The training step: from a model to one ordinary graph that takes a batch and gives the next parameters. */
import { type Differentiated, differentiateGraph } from "../../autodiff/index.ts";
import { UsageError } from "../../errors.ts";
import {
  constantOf,
  editGraph,
  type Graph,
  type Model,
  type Names,
  namesOf,
  opsetOf,
  storedWeights,
  TARGET_OPSET,
  type Value,
  withGraph,
} from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { type Optimizer, optimizers } from "../optimizers/index.ts";
import { zerosLike } from "../optimizers/optimizer.ts";
import { applyGradients, type Trained } from "./apply-gradients.ts";
import { type Forward, forwardPart } from "./forward.ts";
import { freshInput } from "./fresh-input.ts";
import { initLossScale, nextLossScale } from "./loss-scale.ts";
import { inPrecision } from "./precision.ts";
import { profileOf } from "./profiles.ts";
import { biasesAndNorms, type Chosen, parameterOf, selects } from "./selection.ts";
import { newStates, type States } from "./states.ts";
import type { TrainingStep, TrainingStepOptions } from "./step.ts";

export const trainingStepOptionsNames: OptionNames<TrainingStepOptions> = {
  optimizer: true,
  trainable: true,
  freeze: true,
  decayExclude: true,
  clip: true,
  accumulate: true,
  average: true,
  lossScale: true,
  batchNorm: true,
  dropout: true,
  inference: true,
  carry: true,
  profile: true,
  precision: true,
  forms: true,
  loss: true,
  terms: true,
  output: true,
};

/**
 * Differentiates a model under a loss and adds the optimizer's update. Weights in `Constant` nodes count as initializers.
 *
 * @throws UsageError for a model of another opset, an unknown output or nothing to train; UnsupportedError, naming the
 * node, where an operator has no gradient.
 */
export function trainingStep(model: Model, options: TrainingStepOptions): TrainingStep {
  checkOptions(options, trainingStepOptionsNames);
  checkValues(model, options);
  const profile = profileOf(options.profile);
  const typed = inPrecision(inferShapes(storedWeights(model)), options.precision ?? "float32");
  const scope = namesOf(typed);
  const parts = forwardPart(typed.graph, options, scope);
  const differentiated = differentiateGraph(parts.graph, {
    of: parts.objective.total,
    wrt: parts.chosen.map(({ value }) => value),
    opset: TARGET_OPSET,
    scope,
    ...(parts.seed && { seed: parts.seed }),
    forms: options.forms ?? profile.forms,
  });
  const step = assembled(typed, parts, differentiated, options, scope);
  return { ...step, model: profile.lower(step.model) };
}

function checkValues(model: Model, { accumulate = 1, clip = 1, average = 0 }: TrainingStepOptions): void {
  const opset = opsetOf(model);
  if (opset !== TARGET_OPSET) {
    throw new UsageError("a training step needs a model of lithe's opset", {
      expected: `opset ${TARGET_OPSET}`,
      got: `opset ${opset}`,
      hint: "Run the pass upgradeOpset first.",
    });
  }
  check("accumulate", accumulate, Number.isSafeInteger(accumulate) && accumulate >= 1, "a count of at least 1");
  check("clip", clip, clip > 0, "above 0");
  check("average", average, average >= 0 && average < 1, "at least 0 and below 1");
}

function check(name: string, value: number, isFine: boolean, expected: string): void {
  if (!isFine) throw new UsageError(`${name} is out of range`, { expected, got: String(value) });
}

/** The inputs that every step takes beside the batch and the state. */
interface Controls {
  readonly learningRate: Value;
  readonly step: Value;
  /** With accumulation. */
  readonly apply?: Value;
}

function assembled(
  typed: Model,
  parts: Forward,
  { graph, gradients }: Differentiated,
  options: TrainingStepOptions,
  scope: Names,
): TrainingStep {
  const batches = options.accumulate ?? 1;
  const controls: Controls = {
    learningRate: freshInput(scope, "learning_rate", "float32", []),
    step: freshInput(scope, "step", "int64", []),
    ...(batches > 1 && { apply: freshInput(scope, "apply", "bool", []) }),
  };
  const states = newStates(scope);
  const reached = parts.chosen.filter(({ value }) => gradients.has(value));
  if (reached.length === 0) throw notReached(parts.chosen);
  for (const { value, tensor } of reached) states.take(value, "parameter", tensor);
  const trained = reached.map(trainedWith(typed.graph, gradients, options, states));
  const { next, gradientNorm, finite } = applyGradients(parts.after, trained, {
    optimizer: optimizerOf(options),
    learningRate: controls.learningRate,
    step: controls.step,
    ...(options.clip !== undefined && { clip: options.clip }),
    ...(options.average !== undefined && { averageDecay: options.average }),
    ...(controls.apply && { accumulate: { batches, apply: controls.apply } }),
    ...(parts.lossScale && { lossScale: parts.lossScale }),
  });
  states.setNext([...next, ...parts.statistics]);
  for (const value of parts.statistics.keys()) {
    states.take(value, "statistic", constantOf(typed.graph, value)!);
  }
  if (finite) addLossScale(parts, states, finite, controls.apply, options);
  return finished(typed, { ...parts, graph }, states, { controls, batches, gradientNorm }, scope);
}

function notReached(chosen: readonly Chosen[]): UsageError {
  return new UsageError("no gradient reaches what is to be trained", {
    expected: "operators with a gradient between it and the loss",
    got: chosen.map(({ value }) => value.name).join(", "),
  });
}

function optimizerOf({ optimizer }: TrainingStepOptions): Optimizer {
  return typeof optimizer === "string" ? optimizers[optimizer]() : optimizer;
}

/** Adds what an update of one parameter keeps: the optimizer's state, the average, the sum of gradients. */
function trainedWith(
  graph: Graph,
  gradients: Differentiated["gradients"],
  options: TrainingStepOptions,
  states: States,
): (chosen: Chosen) => Trained {
  const { decayExclude, average, accumulate = 1 } = options;
  const optimizer = optimizerOf(options);
  return (chosen) => {
    const { value, tensor } = chosen;
    const parameter = parameterOf(chosen);
    const { name } = parameter;
    const initial = [...optimizer.init(parameter)];
    const state = initial.map(([key, start]): [string, Value] => [
      key,
      states.add(`${name}:${key}`, "optimizer", start, name),
    ]);
    const excluded = decayExclude ? selects(decayExclude)(parameter) : biasesAndNorms(graph, value, parameter);
    return {
      parameter: value,
      gradient: gradients.get(value)!,
      state: new Map(state),
      decays: !excluded,
      ...(average !== undefined && { average: states.add(`${name}:average`, "average", tensor, name) }),
      ...(accumulate > 1 && {
        accumulator: states.add(`${name}:gradients`, "accumulator", zerosLike(parameter), name),
      }),
    };
  };
}

function addLossScale(
  { after, lossScale }: Forward,
  states: States,
  finite: Value,
  apply: Value | undefined,
  options: TrainingStepOptions,
): void {
  if (!lossScale || !options.lossScale) return;
  const initial = initLossScale(options.lossScale);
  const good = states.add("loss_scale:good", "loss-scale", initial.good);
  states.take(lossScale, "loss-scale", initial.scale);
  const next = nextLossScale(after, { scale: lossScale, good }, finite, apply, options.lossScale);
  states.setNext([
    [lossScale, next.scale],
    [good, next.good],
  ]);
}

interface Ending {
  readonly controls: Controls;
  readonly batches: number;
  readonly gradientNorm: Value | undefined;
}

function finished(
  typed: Model,
  { graph, after, objective, maskKey, chosen }: Forward,
  states: States,
  { controls, batches, gradientNorm }: Ending,
  scope: Names,
): TrainingStep {
  const { learningRate, step, apply } = controls;
  const { labels, labelDomain, prediction, total, terms } = objective;
  const batch = typed.graph.inputs.filter((value) => !typed.graph.initializers.has(value));
  const fed = [...batch, labels, learningRate, step, maskKey, apply].filter((value) => value !== undefined);
  const told = terms.map(({ name, value }) => ({ name, value: after.op("Identity", [value]) }));
  const named = new Map<Value, string>([[total, "loss"]]);
  for (const { name, value } of told) named.set(value, `term/${name}`);
  if (gradientNorm) named.set(gradientNorm, "gradient_norm");
  const trained = new Set(states.slots.map(({ value }) => value));
  const unreached = chosen.flatMap(({ value, tensor }) => (trained.has(value) ? [] : [[value, tensor] as const]));
  const ends = states.slots.map(({ value }) => states.next(value));
  states.slots.forEach(({ value }, i) => void named.set(ends[i]!, `${value.name}:next`));
  const whole: Graph = {
    ...graph,
    name: "training_step",
    inputs: [...fed, ...states.slots.map(({ value }) => value)],
    outputs: [
      total,
      ...graph.outputs,
      ...told.map(({ value }) => value),
      ...(gradientNorm ? [gradientNorm] : []),
      ...ends,
    ],
    nodes: [...graph.nodes, ...after.raw.nodes],
    initializers: new Map([...graph.initializers, ...unreached, ...after.raw.initializers]),
  };
  const { result, names } = renamed(whole, named, scope);
  return {
    model: { ...withGraph(typed, result), docString: "A training step made by lithe." },
    batch: batch.map(({ name }) => name),
    ...(labels && { labels: labels.name }),
    ...(labelDomain && { labelDomain }),
    learningRate: learningRate.name,
    step: step.name,
    ...(maskKey && { maskKey: maskKey.name }),
    ...(apply && { apply: apply.name }),
    accumulate: batches,
    loss: names.get(total)!,
    terms: told.map(({ name, value }) => ({ name, output: names.get(value)! })),
    outputs: graph.outputs.map(({ name }) => name),
    prediction: prediction.name,
    ...(gradientNorm && { gradientNorm: names.get(gradientNorm)! }),
    state: states.slots.map(({ value, kind, of, initial }, i) => ({
      name: value.name,
      output: names.get(ends[i]!)!,
      kind,
      initial,
      ...(kind !== "loss-scale" && of !== undefined && { of }),
    })),
  };
}

/** The graph with values under other names. */
function renamed(graph: Graph, wanted: ReadonlyMap<Value, string>, scope: Names) {
  const names = new Map<Value, string>();
  const result = editGraph(
    graph,
    (draft) => {
      for (const [value, name] of wanted) {
        const next = draft.value(name, value.type);
        names.set(value, next.name);
        draft.substitute(value, next);
      }
    },
    scope,
  );
  return { result, names };
}

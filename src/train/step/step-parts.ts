/** @file What a training step consists of, before it is made one graph or two. */
import { type Differentiated, differentiateGraph } from "../../autodiff/index.ts";
import { UsageError } from "../../errors.ts";
import {
  editGraph,
  type Graph,
  type Model,
  type Names,
  namesOf,
  opsetOf,
  producerOf,
  storedWeights,
  TARGET_OPSET,
  type Value,
  valuesOf,
} from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkCount, checkOptions } from "../../options.ts";
import { type Forward, forwardPart } from "./forward.ts";
import { inPrecision } from "./precision.ts";
import { type Profile, profileOf } from "./profiles.ts";
import type { Chosen } from "./selection.ts";
import { type TrainingStepOptions, trainingStepOptionsNames } from "./step.ts";
import { type Reached, type UpdatePart, updatePart } from "./update-part.ts";

/** All formulas of a step in one graph, and the values at which it begins, ends, and can be cut. */
export interface StepParts extends UpdatePart {
  readonly typed: Model;
  readonly profile: Profile;
  /** The differentiated network, then the update. Its ends are those of the network. */
  readonly graph: Graph;
  /** The model's own inputs. */
  readonly batch: readonly Value[];
  readonly objective: Forward["objective"];
  readonly maskKey?: Value;
  readonly lossScale?: Value;
  /** The seam: what the update reads of the network. Statistics of the batch go past it. */
  readonly gradients: readonly { readonly parameter: Value; readonly gradient: Value }[];
  /** Gradients of inputs of the model, where one reaches them. */
  readonly inputGradients: readonly { readonly input: Value; readonly gradient: Value }[];
}

export interface StepForm {
  /** Whether the graph will be cut at its gradients, each of which then has a name and is nothing else. */
  readonly cut: boolean;
  /** Inputs of the model whose gradients are wanted, too. */
  readonly inputs?: readonly string[];
}

/** Differentiates a model under a loss and adds the update. */
export function stepParts(model: Model, options: TrainingStepOptions, form: StepForm): StepParts {
  checkOptions(options, trainingStepOptionsNames);
  checkValues(model, options);
  const profile = profileOf(options.profile);
  const typed = inPrecision(inferShapes(storedWeights(model)), options.precision ?? "float32");
  const scope = namesOf(typed);
  const forward = forwardPart(typed.graph, options, scope);
  const inputs = inputsNamed(forward.graph, form.inputs);
  const differentiated = differentiateGraph(forward.graph, {
    of: forward.objective.total,
    wrt: [...forward.chosen.map(({ value }) => value), ...inputs],
    opset: TARGET_OPSET,
    scope,
    stopAt: valuesNamed(forward.graph, options.stopAt),
    ...(forward.seed && { seed: forward.seed }),
    forms: options.forms ?? profile.forms,
  });
  const gradients = form.cut ? apart(forward, differentiated) : differentiated.gradients;
  const reached = reachedBy(gradients, forward.chosen);
  const update = updatePart(typed.graph, forward, reached, options, scope);
  const parts = joined(typed, forward, differentiated.graph, update);
  const seam = reached.map(({ value, gradient }) => ({ parameter: value, gradient }));
  const inputGradients = inputs.flatMap((input) => {
    const gradient = gradients.get(input);
    return gradient ? [{ input, gradient }] : [];
  });
  return named({ ...parts, gradients: seam, inputGradients, typed, profile }, form, scope);
}

/** @throws UsageError for a name of no input */
function inputsNamed({ inputs }: Graph, wanted: readonly string[] = []): Value[] {
  return wanted.map((name) => {
    const input = inputs.find((value) => value.name === name);
    if (input) return input;
    throw new UsageError("the model has no such input to give a gradient of", { got: JSON.stringify(name) });
  });
}

/** @throws UsageError for a name of no value */
function valuesNamed(graph: Graph, names: readonly string[] = []): ReadonlySet<Value> {
  if (names.length === 0) return new Set();
  const byName = new Map([...valuesOf(graph)].map((value) => [value.name, value]));
  return new Set(
    names.map((name) => {
      const value = byName.get(name);
      if (value) return value;
      throw new UsageError("the model has no such value to stop a gradient at", { got: JSON.stringify(name) });
    }),
  );
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
  checkCount("accumulate", accumulate);
  check("clip", clip, clip > 0, "above 0");
  check("average", average, average >= 0 && average < 1, "at least 0 and below 1");
}

function check(name: string, value: number, isFine: boolean, expected: string): void {
  if (!isFine) throw new UsageError(`${name} is out of range`, { expected, got: String(value) });
}

type Gradients = Differentiated["gradients"];

/** Copies those gradients that are something else, too: another parameter's, an output of the model, an input, a constant. */
function apart({ after, objective }: Forward, { graph, gradients }: Differentiated): Gradients {
  const taken = new Set<Value>([objective.total, ...graph.outputs]);
  return new Map(
    [...gradients].map(([parameter, gradient]) => {
      const isOwn = producerOf(graph, gradient) !== undefined && !taken.has(gradient);
      taken.add(gradient);
      return [parameter, isOwn ? gradient : after.op("Identity", [gradient])];
    }),
  );
}

function reachedBy(gradients: Gradients, chosen: readonly Chosen[]): Reached[] {
  const reached = chosen.flatMap((item) => {
    const gradient = gradients.get(item.value);
    return gradient ? [{ ...item, gradient }] : [];
  });
  if (reached.length > 0) return reached;
  throw new UsageError("no gradient reaches what is to be trained", {
    expected: "operators with a gradient between it and the loss",
    got: chosen.map(({ value }) => value.name).join(", "),
  });
}

/** The network and the update in one graph. Chosen initializers that no gradient reaches are initializers again. */
function joined(
  { graph: original }: Model,
  { after, objective, chosen, maskKey, lossScale }: Forward,
  graph: Graph,
  update: UpdatePart,
): Omit<StepParts, "typed" | "profile" | "gradients" | "inputGradients"> {
  const terms = objective.terms.map(({ name, value }) => ({ name, value: after.op("Identity", [value]) }));
  const carried = new Set(update.slots.map(({ value }) => value));
  const unreached = chosen.flatMap(({ value, tensor }) => (carried.has(value) ? [] : [[value, tensor] as const]));
  return {
    ...update,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...after.raw.nodes],
      initializers: new Map([...graph.initializers, ...unreached, ...after.raw.initializers]),
    },
    batch: original.inputs.filter((value) => !original.initializers.has(value)),
    objective: { ...objective, terms },
    ...(maskKey && { maskKey }),
    ...(lossScale && { lossScale }),
  };
}

/** The parts with names that tell what a value is. */
function named(parts: StepParts, { cut }: StepForm, scope: Names): StepParts {
  const { objective, gradients, inputGradients, gradientNorm, slots } = parts;
  const wanted = new Map<Value, string>([[objective.total, "loss"]]);
  for (const { name, value } of objective.terms) wanted.set(value, `term/${name}`);
  if (gradientNorm) wanted.set(gradientNorm, "gradient_norm");
  for (const { value, next } of slots) wanted.set(next, `${value.name}:next`);
  if (cut) for (const { parameter, gradient } of gradients) wanted.set(gradient, `${parameter.name}:gradient`);
  for (const { input, gradient } of inputGradients) wanted.set(gradient, `${input.name}:gradient`);
  const { graph, at } = renamed(parts.graph, wanted, scope);
  return {
    ...parts,
    graph,
    objective: {
      ...objective,
      total: at(objective.total),
      prediction: at(objective.prediction),
      terms: objective.terms.map(({ name, value }) => ({ name, value: at(value) })),
    },
    gradients: gradients.map(({ parameter, gradient }) => ({ parameter, gradient: at(gradient) })),
    inputGradients: inputGradients.map(({ input, gradient }) => ({ input, gradient: at(gradient) })),
    ...(gradientNorm && { gradientNorm: at(gradientNorm) }),
    slots: slots.map((slot) => ({ ...slot, next: at(slot.next) })),
  };
}

/** The graph with values under other names, and where they went. */
function renamed(graph: Graph, wanted: ReadonlyMap<Value, string>, scope: Names) {
  const renewed = new Map<Value, Value>();
  const result = editGraph(
    graph,
    (draft) => {
      for (const [value, name] of wanted) {
        const next = draft.value(name, value.type);
        renewed.set(value, next);
        draft.substitute(value, next);
      }
    },
    scope,
  );
  return { graph: result, at: (value: Value) => renewed.get(value) ?? value };
}

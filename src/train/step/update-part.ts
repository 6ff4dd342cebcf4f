/** @file The update of a step: from the gradient of every parameter to the next state. */
import { UsageError } from "../../errors.ts";
import { constantOf, type DataType, type Graph, type Names, type Tensor, type Value } from "../../ir/index.ts";
import { type Optimizer, optimizers } from "../optimizers/index.ts";
import { zerosLike } from "../optimizers/optimizer.ts";
import { applyGradients, type Trained } from "./apply-gradients.ts";
import type { Forward } from "./forward.ts";
import { freshInput } from "./fresh-input.ts";
import { initLossScale, nextLossScale } from "./loss-scale.ts";
import { biasesAndNorms, type Chosen, parameterOf, selects } from "./selection.ts";
import { newStates, type Slot, type States } from "./states.ts";
import type { TrainingStepOptions } from "./step.ts";

/** The inputs that an update takes beside gradients and state. */
export interface Controls {
  readonly learningRate: Value;
  readonly step: Value;
  /** With accumulation. */
  readonly apply?: Value;
}

/** A tensor of the state, and the value that becomes the next one. */
export interface NextSlot extends Slot {
  readonly next: Value;
}

export interface UpdatePart {
  readonly controls: Controls;
  readonly accumulate: number;
  readonly gradientNorm?: Value;
  /** Statistics of the batch included, whose next values the network gives. */
  readonly slots: readonly NextSlot[];
}

/** A parameter that a gradient reaches. */
export interface Reached extends Chosen {
  readonly gradient: Value;
}

/** Emits the update behind the differentiated network. `graph` is the network as it was. */
export function updatePart(
  graph: Graph,
  { after, lossScale, statistics }: Pick<Forward, "after" | "lossScale" | "statistics">,
  reached: readonly Reached[],
  options: TrainingStepOptions,
  scope: Names,
): UpdatePart {
  const batches = options.accumulate ?? 1;
  const controls: Controls = {
    learningRate: freshInput(scope, "learning_rate", "float32", []),
    step: freshInput(scope, "step", "int64", []),
    ...(batches > 1 && { apply: freshInput(scope, "apply", "bool", []) }),
  };
  const states = newStates(scope);
  for (const { value, tensor } of reached) states.take(value, "parameter", tensor);
  const trained = reached.map(trainedWith(graph, options, states));
  const { next, gradientNorm, finite } = applyGradients(after, trained, {
    optimizer: optimizerOf(options),
    learningRate: controls.learningRate,
    step: controls.step,
    ...(options.clip !== undefined && { clip: options.clip }),
    ...(options.average !== undefined && { averageDecay: options.average }),
    ...(controls.apply && { accumulate: { batches, apply: controls.apply } }),
    ...(lossScale && { lossScale }),
  });
  states.setNext([...next, ...statistics]);
  for (const { mask } of trained) if (mask) states.setNext([[mask, after.op("Identity", [mask])]]);
  for (const value of statistics.keys()) states.take(value, "statistic", constantOf(graph, value)!);
  if (finite && lossScale) addLossScale({ after, lossScale }, states, { finite, apply: controls.apply }, options);
  return {
    controls,
    accumulate: batches,
    ...(gradientNorm && { gradientNorm }),
    slots: states.slots.map((slot) => ({ ...slot, next: states.next(slot.value) })),
  };
}

function optimizerOf({ optimizer }: TrainingStepOptions): Optimizer {
  return typeof optimizer === "string" ? optimizers[optimizer]() : optimizer;
}

/** Adds what an update of one parameter keeps: the optimizer's state, the average, the sum of gradients. */
function trainedWith(graph: Graph, options: TrainingStepOptions, states: States): (reached: Reached) => Trained {
  const { decayExclude, average, accumulate = 1, masks, gradientFactors: factors } = options;
  checkForms(graph, "mask", "bool", masks);
  checkForms(graph, "gradient factor", "float32", factors);
  const optimizer = optimizerOf(options);
  return (reached) => {
    const { value, tensor, gradient } = reached;
    const parameter = parameterOf(reached);
    const { name } = parameter;
    const initial = [...optimizer.init(parameter)];
    const state = initial.map(([key, start]): [string, Value] => [
      key,
      states.add(`${name}:${key}`, "optimizer", start, name),
    ]);
    const [mask, factor] = [masks?.get(name), factors?.get(name)];
    const excluded = decayExclude ? selects(decayExclude)(parameter) : biasesAndNorms(graph, value, parameter);
    return {
      parameter: value,
      gradient,
      state: new Map(state),
      decays: !excluded,
      ...(average !== undefined && { average: states.add(`${name}:average`, "average", tensor, name) }),
      ...(accumulate > 1 && {
        accumulator: states.add(`${name}:gradients`, "accumulator", zerosLike(parameter), name),
      }),
      ...(mask && { mask: states.add(`${name}:mask`, "mask", mask, name) }),
      ...(factor && { factor }),
    };
  };
}

/** @throws UsageError for a tensor of no initializer, and for one of another form */
function checkForms(
  graph: Graph,
  what: string,
  wanted: DataType,
  given: ReadonlyMap<string, Tensor> = new Map(),
): void {
  const forms = new Map([...graph.initializers].map(([{ name }, { dims }]) => [name, `${wanted}[${dims.join(", ")}]`]));
  for (const [name, { dtype, dims }] of given) {
    const [expected, got] = [forms.get(name), `${dtype}[${dims.join(", ")}]`];
    if (expected === got) continue;
    throw new UsageError(`a ${what} fits no initializer`, {
      expected: expected ?? "the name of an initializer",
      got: expected === undefined ? JSON.stringify(name) : got,
      where: `${what} ${JSON.stringify(name)}`,
    });
  }
}

/** What decides how the loss scale goes on. */
interface Verdict {
  readonly finite: Value;
  readonly apply: Value | undefined;
}

function addLossScale(
  { after, lossScale }: { readonly after: Forward["after"]; readonly lossScale: Value },
  states: States,
  { finite, apply }: Verdict,
  options: TrainingStepOptions,
): void {
  if (!options.lossScale) return;
  const initial = initLossScale(options.lossScale);
  const good = states.add("loss_scale:good", "loss-scale", initial.good);
  states.take(lossScale, "loss-scale", initial.scale);
  const next = nextLossScale(after, { scale: lossScale, good }, finite, apply, options.lossScale);
  states.setNext([
    [lossScale, next.scale],
    [good, next.good],
  ]);
}

/** @file What stays the same during a run: what is trained, on what, at which pace. */
import { checkDatasetLabels } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { pickOptions } from "../../options.ts";
import type { Algorithm, Json, Preparation } from "../algorithms/index.ts";
import { type BatchSource, batchCount, fixedBatch } from "../feeds/batch-feeds.ts";
import { checkDrives, drivesSampled, undriven } from "../feeds/drive.ts";
import { predictedOutput } from "../feeds/predicted-output.ts";
import { type Pace, rateAt, turnOf } from "../feeds/step-feeds.ts";
import { lossOf } from "../losses/index.ts";
import { schedules } from "../schedules/index.ts";
import { takesProbabilities } from "../step/objective.ts";
import { profileFor } from "../step/profiles.ts";
import { type SplitStep, splitStep } from "../step/split-step.ts";
import { type TrainingStep, type TrainingStepOptions, trainingStepOptionsNames } from "../step/step.ts";
import { trainingStep } from "../step/training-step.ts";
import { type Monitor, monitorOf } from "./best.ts";
import type { FitOptions } from "./fit-options.ts";

export interface Plan extends Preparation {
  readonly options: FitOptions;
  readonly training: TrainingStep;
  /** Where algorithms take gradients in hand. Accumulation is left to the run then, and a call of the runtime for every batch. */
  readonly split?: SplitStep;
  readonly source: BatchSource;
  readonly perEpoch: number;
  readonly pace: Pace;
  readonly monitor: Monitor;
  /** What else than the step graph decides how the run goes on. */
  readonly fingerprinted: Readonly<Record<string, unknown>>;
}

/** What the options say is trained, for algorithms to change. */
export async function firstPreparation(model: Model, options: FitOptions): Promise<Preparation> {
  const output = await predictedOutput(model, options.data, options);
  const { average: _, ...step } = pickOptions<TrainingStepOptions>(options, trainingStepOptionsNames);
  const profile = profileFor(options.session?.ep);
  return { model, step: { profile, ...step, ...(output !== undefined && { output }) } };
}

export async function planned(
  prepared: Preparation,
  options: FitOptions,
  algorithms: readonly Algorithm[],
  { takesGradients }: { readonly takesGradients: boolean },
): Promise<Plan> {
  const { model, step, drive } = prepared;
  checkDrives(model.graph, drive);
  const training = trainingStep(model, step);
  const split = takesGradients ? stepInParts(prepared, options) : undefined;
  await checkAllLabels(training, step, options);
  const source = sourceOf(training, prepared, options);
  const perEpoch = batchCount(source);
  const pace = paceOf(training, { source, perEpoch, drive }, options);
  const monitor = monitorOf(options);
  const whole = { perEpoch, pace, training, monitor };
  const facts = fingerprinted(whole, source, options, algorithms);
  return { ...prepared, ...whole, ...(split && { split }), options, source, fingerprinted: facts };
}

function stepInParts({ model, step }: Preparation, { stepsPerRun = 1 }: FitOptions): SplitStep {
  if (stepsPerRun > 1) {
    throw new UsageError("an algorithm takes the gradients of every update in hand, between two calls of the runtime", {
      expected: "a stepsPerRun of 1",
      got: String(stepsPerRun),
    });
  }
  const { accumulate: _, ...each } = step;
  return splitStep(model, each);
}

function sourceOf(
  training: TrainingStep,
  { step, drive, part }: Preparation,
  { data, labels, batch }: FitOptions,
): BatchSource {
  const byName = new Map(training.model.graph.inputs.map((value) => [value.name, value]));
  const inputs = undriven(
    training.batch.map((name) => byName.get(name)!),
    drive,
  );
  const fixed = fixedBatch(inputs);
  return {
    data,
    inputs,
    labels: training.labels === undefined ? undefined : byName.get(training.labels),
    labelInput: labels,
    labelDomain: training.labelDomain,
    size: batch ?? (fixed === undefined ? 32 : fixed * (part?.count ?? 1)),
    part,
    takesProbabilities: takesProbabilities(step),
  };
}

function paceOf(
  { accumulate }: TrainingStep,
  { source, perEpoch, drive }: Pick<Plan, "source" | "perEpoch" | "drive">,
  { seed = 0, epochs, learningRate, schedule = "constant" }: FitOptions,
): Pace {
  const updates = Math.floor((perEpoch * epochs) / accumulate);
  if (updates === 0) {
    throw new UsageError("there are too few samples for one update", {
      got: `${source.data.size} samples`,
      expected: `${source.size}`,
    });
  }
  return {
    learningRate,
    seed,
    updates,
    schedule: typeof schedule === "string" ? schedules[schedule]() : schedule,
    drives: drive,
    part: source.part,
  };
}

const SAMPLES = 17;

function fingerprinted(
  { perEpoch, pace, training, monitor }: Pick<Plan, "perEpoch" | "pace" | "training" | "monitor">,
  { size, data }: BatchSource,
  { epochs }: FitOptions,
  algorithms: readonly Algorithm[],
): Plan["fingerprinted"] {
  const samples = (whole: number) => Array.from({ length: SAMPLES }, (_, i) => Math.floor((i * whole) / SAMPLES));
  const rates = samples(pace.updates).map((update) => rateAt(pace, update));
  const turns = samples(perEpoch * epochs).map((batch) => turnOf(training, batch, pace));
  const changing = algorithms.flatMap(({ name, settings }): [string, Json][] =>
    settings === undefined ? [] : [[name, settings]],
  );
  return {
    ...{ size, epochs, seed: pace.seed, rates, samples: data.size, monitor: monitor.name },
    ...(pace.drives && { driven: drivesSampled(pace.drives, turns) }),
    ...(changing.length > 0 && { algorithms: changing }),
  };
}

/** Class indices of the samples, those to evaluate on included: a wrong one would else be met after hours. */
async function checkAllLabels(
  { labelDomain }: TrainingStep,
  { loss }: TrainingStepOptions,
  { data, evaluate, labels }: FitOptions,
): Promise<void> {
  if (!labelDomain || !loss || labels !== undefined) return;
  await checkDatasetLabels(data, labelDomain);
  const sameKind = lossOf(evaluate?.loss ?? loss).reads === lossOf(loss).reads;
  if (evaluate && sameKind) await checkDatasetLabels(evaluate.data, labelDomain);
}

/** @file The trainer: epochs of steps with evaluation, checkpoints and early stopping, as a run. */
import { type BatchLoader, checkDatasetLabels, openLoader, prefetch } from "../../data/index.ts";
import { RuntimeError, UsageError } from "../../errors.ts";
import { type Model, numbersOf, sizeOf, type Tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../../options.ts";
import {
  checkCancelled,
  openSession,
  type ResidentState,
  type Run,
  type RunScope,
  resideIn,
  startRun,
} from "../../runtime/index.ts";
import {
  type BatchSource,
  batchCount,
  batchForm,
  epochOrder,
  type FedBatch,
  fedBatches,
  fixedBatch,
} from "../feeds/batch-feeds.ts";
import { checkDrives, drivesSampled, undriven } from "../feeds/drive.ts";
import { predictedOutput } from "../feeds/predicted-output.ts";
import { grouped, type Pace, rateAt, stackFeeds, stepFeeds, turnOf, updateOf } from "../feeds/step-feeds.ts";
import { lossOf } from "../losses/index.ts";
import { schedules } from "../schedules/index.ts";
import { loopedStep } from "../step/looped-step.ts";
import { takesProbabilities } from "../step/objective.ts";
import { profileFor } from "../step/profiles.ts";
import { type TrainingStep, type TrainingStepOptions, toldBy, trainingStepOptionsNames } from "../step/step.ts";
import { trainingStep } from "../step/training-step.ts";
import { bestOf, type Monitor, monitorOf, patienceLost } from "./best.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type EvaluateOptions, evaluateModel, evaluateOptionsNames } from "./evaluate.ts";
import type { Evaluation, TrainEvent, TrainReport, TrainResult } from "./events.ts";
import { checkFitOptions, type FitOptions } from "./fit-options.ts";
import { measuredBy, type StartedProbe, startProbes } from "./probe.ts";
import { trainedTensors, withParameters } from "./trained-model.ts";

/** For those whose options extend these. */
export const fitOptionsNames: OptionNames<FitOptions> = {
  ...trainingStepOptionsNames,
  data: true,
  labels: true,
  drive: true,
  epochs: true,
  batch: true,
  learningRate: true,
  schedule: true,
  augment: true,
  workers: true,
  seed: true,
  stepsPerRun: true,
  evaluate: true,
  probes: true,
  monitor: true,
  earlyStopping: true,
  restoreBest: true,
  checkpoint: true,
  resume: true,
  signal: true,
  callbacks: true,
  session: true,
  open: true,
};

/**
 * Trains a model on samples, labelled where the loss reads labels. The same model, data, options and seed give the same parameters bit for bit on the
 * same provider, whether the run was interrupted and resumed or not.
 *
 * @throws UsageError at once for options that do not fit; through `result`: whatever `trainingStep` throws, DataError
 * for samples that do not fit, RuntimeError when the loss stops being finite, CancelledError.
 */
export function fit(model: Model, options: FitOptions): Run<TrainEvent, TrainResult> {
  checkOptions(options, fitOptionsNames);
  checkFitOptions(options);
  const monitor = monitorOf(options);
  return startRun((scope) => train(model, options, monitor, scope), options.signal ? { signal: options.signal } : {});
}

/** What stays the same during a run. */
interface Plan {
  readonly model: Model;
  readonly options: FitOptions;
  readonly step: TrainingStep;
  readonly source: BatchSource;
  readonly perEpoch: number;
  readonly pace: Pace;
  readonly monitor: Monitor;
  readonly fingerprint: string;
  /** Absent without a checkpoint folder. */
  readonly files: typeof import("./checkpoint.ts") | undefined;
}

/** What changes. */
interface Progress {
  /** Batches done. */
  done: number;
  readonly evaluations: Evaluation[];
  readonly probes: readonly StartedProbe[];
  best: number | undefined;
  /** Sum and count of the losses of this epoch. */
  losses: number[];
  stopReason: string | undefined;
  readonly started: number;
  readonly firstBatch: number;
}

async function train(
  model: Model,
  options: FitOptions,
  monitor: Monitor,
  scope: RunScope<TrainEvent>,
): Promise<TrainResult> {
  const output = await predictedOutput(model, options.data, options);
  const plan = await planned(model, output === undefined ? options : { ...options, output }, monitor);
  const folder = options.checkpoint?.folder;
  if (!plan.files || folder === undefined) return trainPlanned(plan, undefined, scope);
  const lock = await plan.files.lockCheckpoints(folder);
  try {
    const { step, perEpoch, fingerprint } = plan;
    const restoresBest = options.restoreBest ?? false;
    const resumed = { fingerprint, step, steps: perEpoch * options.epochs, restoresBest };
    const saved = options.resume ? await plan.files.loadCheckpoint(folder, resumed) : undefined;
    return await trainPlanned(plan, saved, scope);
  } finally {
    await lock.release();
  }
}

async function trainPlanned(
  plan: Plan,
  saved: Checkpoint | undefined,
  scope: RunScope<TrainEvent>,
): Promise<TrainResult> {
  const { options, step, perEpoch, monitor } = plan;
  const initial = saved?.state ?? new Map(step.state.map((entry) => [entry.name, entry.initial]));
  const progress: Progress = {
    done: saved?.step ?? 0,
    evaluations: [...(saved?.evaluations ?? [])],
    probes: startProbes(options),
    best: saved?.best,
    losses: [],
    stopReason: undefined,
    started: performance.now(),
    firstBatch: saved?.step ?? 0,
  };
  progress.stopReason = patienceLost(progress.evaluations, progress.best, options, monitor);
  await lookBack(plan, progress, initial, scope);
  scope.emit({
    type: "start",
    parameters: trainedCount(step),
    updates: plan.pace.updates,
    epochs: options.epochs,
    resumedFrom: progress.done,
  });
  const looped = (options.stepsPerRun ?? 1) > 1;
  const next = new Map(step.state.map(({ name, output }) => [name, output]));
  await using session = await (options.open ?? openSession)(looped ? loopedStep(step) : step.model, {
    step: "training",
    ...options.session,
    resident: [...next.values()],
  });
  const resident = await resideIn(session, initial, next);
  await using loader = await loaderFor(plan, scope.signal);
  for (let epoch = Math.floor(progress.done / perEpoch); epoch < options.epochs; epoch++) {
    if (progress.stopReason !== undefined) break;
    progress.losses = [];
    await trainEpoch(plan, progress, { resident, loader }, epoch, scope);
    if (progress.stopReason === undefined) await endEpoch(plan, progress, resident, epoch + 1, scope);
  }
  if (progress.stopReason !== undefined) {
    scope.emit({ type: "early-stop", epoch: Math.ceil(progress.done / perEpoch), reason: progress.stopReason });
  }
  return finished(plan, progress, await resident.read());
}

/** Shows the probes of a resumed run the model of the last evaluation, where the checkpoint still holds it. */
async function lookBack(
  { model, options, step, perEpoch }: Plan,
  { evaluations, done, probes }: Progress,
  state: ReadonlyMap<string, Tensor>,
  { signal }: RunScope<TrainEvent>,
): Promise<void> {
  const last = evaluations.at(-1);
  if (!last || last.epoch * perEpoch !== done) return;
  await measuredBy(probes, withParameters(model, trainedTensors(step, state)), last, options, signal);
}

async function planned(model: Model, options: FitOptions, monitor: Monitor): Promise<Plan> {
  checkDrives(model.graph, options.drive);
  const step = trainingStep(model, {
    profile: profileFor(options.session?.ep),
    ...pickOptions<TrainingStepOptions>(options, trainingStepOptionsNames),
  });
  await checkAllLabels(step, options);
  const byName = new Map(step.model.graph.inputs.map((value) => [value.name, value]));
  const inputs = undriven(
    step.batch.map((name) => byName.get(name)!),
    options.drive,
  );
  const { seed = 0, epochs, learningRate, data } = options;
  const size = options.batch ?? fixedBatch(inputs) ?? 32;
  const labels = step.labels === undefined ? undefined : byName.get(step.labels);
  const source: BatchSource = {
    data,
    inputs,
    labels,
    labelInput: options.labels,
    labelDomain: step.labelDomain,
    size,
    takesProbabilities: takesProbabilities(options),
  };
  const perEpoch = batchCount(source);
  const updates = Math.floor((perEpoch * epochs) / step.accumulate);
  if (updates === 0) {
    throw new UsageError("there are too few samples for one update", {
      got: `${data.size} samples`,
      expected: `${size}`,
    });
  }
  const { schedule = "constant" } = options;
  const pace: Pace = {
    learningRate,
    seed,
    updates,
    schedule: typeof schedule === "string" ? schedules[schedule]() : schedule,
    drives: options.drive,
  };
  const files = options.checkpoint && (await import("./checkpoint.ts"));
  const rates = Array.from({ length: 17 }, (_, i) => rateAt(pace, Math.floor((i * updates) / 17)));
  const turns = rates.map((_, i) => turnOf(step, Math.floor((i * perEpoch * epochs) / 17), pace));
  const driven = options.drive && { driven: drivesSampled(options.drive, turns) };
  const settings = { size, epochs, seed, rates, samples: data.size, monitor: monitor.name, ...driven };
  const fingerprint = files?.fingerprintOf(step, settings) ?? "";
  return { model, options, step, source, perEpoch, pace, monitor, fingerprint, files };
}

/** Class indices of the samples, those to evaluate on included: a wrong one would else be met after hours. */
async function checkAllLabels(
  { labelDomain }: TrainingStep,
  { data, evaluate, loss, labels }: FitOptions,
): Promise<void> {
  if (!labelDomain || !loss || labels !== undefined) return;
  await checkDatasetLabels(data, labelDomain);
  const sameKind = lossOf(evaluate?.loss ?? loss).reads === lossOf(loss).reads;
  if (evaluate && sameKind) await checkDatasetLabels(evaluate.data, labelDomain);
}

function loaderFor({ source, options }: Plan, signal: AbortSignal): Promise<BatchLoader> {
  const { augment = [], workers = 0 } = options;
  return openLoader(source.data, { ...batchForm(source), augment, workers, signal });
}

function trainedCount({ state }: TrainingStep): number {
  const parameters = state.filter(({ kind }) => kind === "parameter");
  return parameters.reduce((sum, { initial }) => sum + sizeOf(initial.dims), 0);
}

async function trainEpoch(
  plan: Plan,
  progress: Progress,
  { resident, loader }: { readonly resident: ResidentState; readonly loader: BatchLoader },
  epoch: number,
  scope: RunScope<TrainEvent>,
): Promise<void> {
  const { options, source, perEpoch, pace } = plan;
  const end = (epoch + 1) * perEpoch;
  const skipped = progress.done - epoch * perEpoch;
  const positions = epochOrder(source.data.size, pace.seed, epoch).slice(skipped * source.size);
  const everySteps = options.checkpoint?.everySteps;
  const limit = (index: number) =>
    Math.min(options.stepsPerRun ?? 1, end - index, everySteps ? everySteps - (index % everySteps) : Infinity);
  const batches = fedBatches(source, loader, { positions, seed: pace.seed, epoch });
  for await (const group of prefetch(grouped(batches, progress.done, limit), 2)) {
    checkCancelled(scope.signal);
    await trainGroup(plan, progress, resident, group, epoch + 1, scope);
    if (progress.stopReason !== undefined) return;
    if (everySteps && progress.done % everySteps === 0 && progress.done < end)
      await save(plan, progress, resident, scope);
  }
}

/** One call of the runtime: a step, or a loop of them. */
async function trainGroup(
  { step, options, pace, perEpoch }: Plan,
  progress: Progress,
  resident: ResidentState,
  group: readonly FedBatch[],
  epoch: number,
  scope: RunScope<TrainEvent>,
): Promise<void> {
  const start = performance.now();
  const fetches = toldBy(step);
  const all = group.map((batch, i) => stepFeeds(step, batch, progress.done + i, pace));
  const feeds = (options.stepsPerRun ?? 1) > 1 ? stackFeeds(all) : all[0]!;
  const [results] = await resident.advance([feeds], { fetches, transfer: false });
  const losses = numbersOf(results!.get(step.loss)!);
  const norms = step.gradientNorm && numbersOf(results!.get(step.gradientNorm)!);
  const terms = step.terms.map(({ name, output }) => ({ name, values: numbersOf(results!.get(output)!) }));
  const elapsed = performance.now() - start;
  const samples = group.reduce((sum, { count }) => sum + count, 0);
  for (const [i, loss] of losses.entries()) {
    const index = progress.done++;
    progress.losses.push(loss);
    const left = perEpoch * options.epochs - progress.done;
    const pacePerBatch = (performance.now() - progress.started) / (progress.done - progress.firstBatch);
    const event = {
      type: "step",
      step: index + 1,
      steps: perEpoch * options.epochs,
      update: Math.floor((index + 1) / step.accumulate),
      epoch,
      loss,
      ...(terms.length > 0 && { terms: Object.fromEntries(terms.map(({ name, values }) => [name, values[i]!])) }),
      learningRate: rateAt(pace, updateOf(step, index)),
      ...(norms && { gradientNorm: norms[i]! }),
      samplesPerSecond: (1000 * samples) / elapsed,
      etaMs: left * pacePerBatch,
    } as const;
    scope.emit(event);
    if (!Number.isFinite(loss) && !options.lossScale) throw diverged(loss, index + 1);
    if ((await options.callbacks?.onStep?.(event)) === "stop") progress.stopReason = "a callback asked for it";
  }
}

function diverged(loss: number, step: number): RuntimeError {
  return new RuntimeError("the loss is not finite", {
    got: String(loss),
    where: `step ${step}`,
    hint: "Lower the learning rate, clip the gradients, or look for broken samples.",
  });
}

/** Evaluation, the record of the best, and a checkpoint. */
async function endEpoch(
  plan: Plan,
  progress: Progress,
  resident: ResidentState,
  epoch: number,
  scope: RunScope<TrainEvent>,
): Promise<void> {
  const { options, step, model, monitor, files } = plan;
  const { evaluate } = options;
  if (evaluate && (epoch % (evaluate.every ?? 1) === 0 || epoch === options.epochs)) {
    const tensors = trainedTensors(step, await resident.read());
    const evaluated = withParameters(model, tensors);
    const metrics = await evaluateModel(
      evaluated,
      pickOptions<EvaluateOptions>({ ...evaluationOf(model, options, scope), ...evaluate }, evaluateOptionsNames),
    );
    const evaluation: Evaluation = { epoch, update: Math.floor(progress.done / step.accumulate), metrics };
    progress.evaluations.push(evaluation);
    progress.best = bestOf(progress.evaluations, monitor);
    const isBest = progress.best === progress.evaluations.length - 1;
    if (isBest && files && options.checkpoint) await files.saveBest(options.checkpoint.folder, tensors);
    const event = { type: "evaluation", isBest, ...evaluation } as const;
    scope.emit(event);
    const measured = await measuredBy(progress.probes, evaluated, evaluation, options, scope.signal);
    for (const measurement of measured) scope.emit(measurement);
    progress.stopReason = patienceLost(progress.evaluations, progress.best, options, monitor);
    if ((await options.callbacks?.onEvaluation?.(event)) === "stop") progress.stopReason = "a callback asked for it";
  }
  await save(plan, progress, resident, scope);
}

/** What is trained is what is evaluated: the output is named, so that other data decides for no other. */
function evaluationOf({ graph }: Model, options: FitOptions, { signal }: RunScope<TrainEvent>) {
  const { loss, terms, output = graph.outputs[0]?.name, labels, session, open, drive } = options;
  return {
    signal,
    ...(loss !== undefined && { loss }),
    ...(terms && { terms }),
    ...(drive && { drive }),
    ...(output !== undefined && { output }),
    ...(labels !== undefined && { labels }),
    ...(session && { session }),
    ...(open && { open }),
  };
}

async function save(
  plan: Plan,
  progress: Progress,
  resident: ResidentState,
  scope: RunScope<TrainEvent>,
): Promise<void> {
  const folder = plan.options.checkpoint?.folder;
  if (!plan.files || folder === undefined) return;
  const { done, evaluations, best } = progress;
  const facts = { step: done, evaluations, best };
  const path = await plan.files.saveCheckpoint(folder, plan.fingerprint, facts, await resident.read());
  scope.emit({ type: "checkpoint", step: done, path });
}

async function finished(plan: Plan, progress: Progress, state: ReadonlyMap<string, Tensor>): Promise<TrainResult> {
  const { options, step, model, files, monitor } = plan;
  const folder = options.checkpoint?.folder;
  const restores = options.restoreBest && files && folder !== undefined && progress.best !== undefined;
  const tensors = restores ? await files.loadBest(folder) : trainedTensors(step, state);
  const best = progress.best === undefined ? undefined : progress.evaluations[progress.best]!;
  const report: TrainReport = {
    parameters: trainedCount(step),
    steps: progress.done,
    updates: Math.floor(progress.done / step.accumulate),
    epochs: progress.done / plan.perEpoch,
    samples: options.data.size,
    seed: plan.pace.seed,
    seconds: (performance.now() - progress.started) / 1000,
    loss: progress.losses.reduce((sum, loss) => sum + loss, 0) / progress.losses.length,
    evaluations: progress.evaluations,
    ...(best && { best: { ...best, monitor: monitor.name } }),
    stoppedEarly: progress.stopReason !== undefined,
  };
  return { model: withParameters(model, tensors), report };
}

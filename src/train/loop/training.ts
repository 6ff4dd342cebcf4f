/** @file A run, epoch by epoch. What else happens in it is the business of algorithms. */

import { must, nth } from "../../checked.ts";
import { type BatchLoader, openLoader, prefetch } from "../../data/index.ts";
import { RuntimeError } from "../../errors.ts";
import { numbersOf, sizeOf, type Tensor } from "../../ir/index.ts";
import { pickOptions } from "../../options.ts";
import { checkCancelled, openSession, type RunScope } from "../../runtime/index.ts";
import type { StepEvent, TrainingRun } from "../algorithms/index.ts";
import { batchForm, epochOrder, type FedBatch, fedBatches } from "../feeds/batch-feeds.ts";
import { grouped, rateAt, stackFeeds, stepFeeds, updateOf } from "../feeds/step-feeds.ts";
import { loopedStep } from "../step/looped-step.ts";
import { type TrainingStep, toldBy } from "../step/step.ts";
import { bestOf } from "./best.ts";
import type { Checkpoint, Checkpoints } from "./checkpoints.ts";
import { type EvaluateOptions, evaluateModel, evaluateOptionsNames } from "./evaluate.ts";
import type { Evaluation, TrainEvent, TrainReport, TrainResult } from "./events.ts";
import { type HeldState, heldState } from "./held-state.ts";
import type { Plan } from "./plan.ts";
import { seamState } from "./seam-state.ts";
import type { Started } from "./started.ts";
import { trainedTensors, withParameters } from "./trained-model.ts";

/** What a run works with. */
export interface Surroundings {
  readonly hooks: Started;
  readonly scope: RunScope<TrainEvent>;
  /** Absent where none are written. */
  readonly checkpoints?: Checkpoints;
}

/** What changes during a run. */
interface Progress {
  /** Batches done. */
  done: number;
  readonly evaluations: Evaluation[];
  best: number | undefined;
  /** Of the batches of this epoch. */
  losses: { sum: number; count: number };
  stopReason: string | undefined;
  readonly started: number;
  readonly firstBatch: number;
}

/** A run under way. */
interface Training extends Surroundings {
  readonly plan: Plan;
  readonly progress: Progress;
  readonly held: HeldState;
  readonly run: TrainingRun;
}

/** Trains from the first batch, or from that of a checkpoint. */
export async function runTraining(plan: Plan, surroundings: Surroundings, saved?: Checkpoint): Promise<TrainResult> {
  const { options, training: step, perEpoch } = plan;
  const { hooks, scope } = surroundings;
  const training = underWay(plan, surroundings, saved);
  const { held, progress } = training;
  await hooks.onStart(training.run, saved?.algorithms ?? new Map());
  scope.emit({
    type: "start",
    parameters: trainedCount(step),
    updates: plan.pace.updates,
    epochs: options.epochs,
    resumedFrom: progress.done,
  });
  const { open = openSession } = options;
  await using _ = await held.enter((model, resident) =>
    open(model, { step: "training", ...options.session, resident }),
  );
  await using loader = await loaderFor(plan, scope.signal);
  for (let epoch = Math.floor(progress.done / perEpoch); epoch < options.epochs; epoch++) {
    if (progress.stopReason !== undefined) break;
    progress.losses = { sum: 0, count: 0 };
    await trainEpoch(training, loader, epoch);
    if (progress.stopReason === undefined) await endEpoch(training, epoch + 1);
  }
  if (progress.stopReason !== undefined) {
    scope.emit({ type: "early-stop", epoch: Math.ceil(progress.done / perEpoch), reason: progress.stopReason });
  }
  return await finished(training);
}

function underWay(plan: Plan, surroundings: Surroundings, saved: Checkpoint | undefined): Training {
  const { training: step, split, options } = plan;
  const { hooks, scope } = surroundings;
  const progress = progressFrom(saved);
  const initial = saved?.state ?? new Map(step.state.map(({ name, initial }) => [name, initial]));
  const looped = (options.stepsPerRun ?? 1) > 1;
  const held = split
    ? seamState(step, split, initial, (gradients, update) => hooks.onGradients(gradients, update, run))
    : heldState({ model: looped ? loopedStep(step) : step.model, state: step.state }, initial);
  const folder = surroundings.checkpoints?.folder;
  const run = runOf(plan, progress, held, { ...scope, folder });
  return { ...surroundings, plan, progress, held, run };
}

function progressFrom(saved: Checkpoint | undefined): Progress {
  return {
    done: saved?.step ?? 0,
    evaluations: [...(saved?.evaluations ?? [])],
    best: saved?.best,
    losses: { sum: 0, count: 0 },
    stopReason: undefined,
    started: performance.now(),
    firstBatch: saved?.step ?? 0,
  };
}

/** What algorithms see and may do. */
function runOf(
  plan: Plan,
  progress: Progress,
  held: HeldState,
  scope: RunScope<TrainEvent> & { readonly folder: string | undefined },
): TrainingRun {
  const { signal, emit, folder } = scope;
  const { training, perEpoch, monitor, options, model, drive } = plan;
  const { evaluate, open, session } = options;
  const updates = () => Math.floor(progress.done / training.accumulate);
  return {
    model,
    step: training,
    stepsPerEpoch: perEpoch,
    monitor,
    settings: { evaluate, drive, open, session, folder },
    signal,
    evaluations: progress.evaluations,
    get steps() {
      return progress.done;
    },
    get updates() {
      return updates();
    },
    get best() {
      return progress.best;
    },
    read: held.read,
    write: held.write,
    stop(reason) {
      progress.stopReason = reason;
    },
    measured(name, measurements) {
      if (measurements.length === 0) return;
      const at = { epoch: Math.ceil(progress.done / perEpoch), update: updates() };
      emit({ type: "measurement", probe: name, ...at, measurements });
    },
  };
}

function loaderFor({ source, options }: Plan, signal: AbortSignal): Promise<BatchLoader> {
  const { augment = [], workers = 0 } = options;
  return openLoader(source.data, { ...batchForm(source), augment, workers, signal });
}

function trainedCount({ state }: TrainingStep): number {
  const parameters = state.filter(({ kind }) => kind === "parameter");
  return parameters.reduce((sum, { initial }) => sum + sizeOf(initial.dims), 0);
}

async function trainEpoch(training: Training, loader: BatchLoader, epoch: number): Promise<void> {
  const { plan, progress, scope } = training;
  const { options, source, perEpoch, pace } = plan;
  const end = (epoch + 1) * perEpoch;
  const skipped = progress.done - epoch * perEpoch;
  const positions = epochOrder(source.data.size, pace.seed, epoch).slice(skipped * source.size);
  const everySteps = options.checkpoint?.everySteps;
  const batches = fedBatches(source, loader, { positions, seed: pace.seed, epoch });
  const limit = (index: number) => Math.min(end - index, mostAtOnce(training, index));
  for await (const group of prefetch(grouped(batches, progress.done, limit), 2)) {
    checkCancelled(scope.signal);
    await trainGroup(training, group, epoch + 1);
    if (progress.stopReason !== undefined) return;
    if (everySteps && progress.done % everySteps === 0 && progress.done < end) await save(training);
  }
}

/** Batches of one call of the runtime, from the one at `index` on: it comes back where a checkpoint or an algorithm needs the state. */
function mostAtOnce({ plan: { options, training }, hooks }: Training, index: number): number {
  const everySteps = options.checkpoint?.everySteps;
  const most = Math.min(
    options.stepsPerRun ?? 1,
    everySteps ? everySteps - (index % everySteps) : Number.POSITIVE_INFINITY,
  );
  for (let batches = 1; batches < most; batches++) if (endsFollowed(hooks, training, index + batches)) return batches;
  return most;
}

/** Whether an update that an algorithm follows comes after so many batches. */
function endsFollowed(hooks: Started, { accumulate }: TrainingStep, batches: number): boolean {
  return batches % accumulate === 0 && hooks.follows(batches / accumulate);
}

/** One call of the runtime: a step, or a loop of them. */
async function trainGroup(training: Training, group: readonly FedBatch[], epoch: number): Promise<void> {
  const { plan, progress, held, hooks, run, scope } = training;
  const { training: step, options, pace } = plan;
  const start = performance.now();
  const all = group.map((batch, i) => stepFeeds(step, batch, progress.done + i, pace));
  const feeds = (options.stepsPerRun ?? 1) > 1 ? stackFeeds(all) : all[0]!;
  const results = await held.advance({ feeds, share: nth(group, 0).share }, toldBy(step));
  const told = toldIn(step, results);
  const samples = group.reduce((sum, batch) => sum + batch.samples, 0);
  const samplesPerSecond = (1000 * samples) / (performance.now() - start);
  for (let i = 0; i < group.length; i++) {
    const event = stepEvent(plan, progress, { ...told(i), epoch, samplesPerSecond });
    const { loss } = event;
    progress.losses = { sum: progress.losses.sum + loss, count: progress.losses.count + 1 };
    scope.emit(event);
    if (!Number.isFinite(loss) && !plan.step.lossScale) throw diverged(loss, event.step);
    await hooks.onStep(event, run);
  }
  if (endsFollowed(hooks, step, progress.done)) await hooks.onUpdate(run);
}

type Told = Pick<StepEvent, "loss" | "terms" | "gradientNorm">;

/** What each batch of a call has told. */
function toldIn(step: TrainingStep, results: ReadonlyMap<string, Tensor>): (batch: number) => Told {
  const numbers = (name: string) => Array.from(numbersOf(must(results, name)), Number);
  const losses = numbers(step.loss);
  const { gradientNorm } = step;
  const norms = gradientNorm !== undefined && results.has(gradientNorm) ? numbers(gradientNorm) : undefined;
  const terms = step.terms.map(({ name, output }) => ({ name, values: numbers(output) }));
  return (batch) => ({
    loss: nth(losses, batch),
    ...(terms.length > 0 && { terms: Object.fromEntries(terms.map(({ name, values }) => [name, nth(values, batch)])) }),
    ...(norms && { gradientNorm: nth(norms, batch) }),
  });
}

/** Counts the next batch, and says what it was. */
function stepEvent(
  { training, perEpoch, options, pace }: Plan,
  progress: Progress,
  { loss, terms, gradientNorm, epoch, samplesPerSecond }: Told & Pick<StepEvent, "epoch" | "samplesPerSecond">,
): StepEvent {
  const index = progress.done++;
  const steps = perEpoch * options.epochs;
  const pacePerBatch = (performance.now() - progress.started) / (progress.done - progress.firstBatch);
  return {
    type: "step",
    step: progress.done,
    steps,
    update: Math.floor(progress.done / training.accumulate),
    epoch,
    loss,
    ...(terms && { terms }),
    learningRate: rateAt(pace, updateOf(training, index)),
    ...(gradientNorm !== undefined && { gradientNorm }),
    samplesPerSecond,
    etaMs: (steps - progress.done) * pacePerBatch,
  };
}

function diverged(loss: number, step: number): RuntimeError {
  return new RuntimeError("the loss is not finite", {
    got: String(loss),
    where: `step ${step}`,
    hint: "Lower the learning rate, clip the gradients, or look for broken samples.",
  });
}

async function endEpoch(training: Training, epoch: number): Promise<void> {
  const { plan, hooks, run } = training;
  const { evaluate, epochs } = plan.options;
  if (evaluate && (epoch % (evaluate.every ?? 1) === 0 || epoch === epochs)) await evaluateAt(training, epoch);
  await hooks.onEpoch(epoch, run);
  await save(training);
}

async function evaluateAt({ plan, progress, held, hooks, run, scope }: Training, epoch: number): Promise<void> {
  const { training, model: initial, monitor } = plan;
  let tensors: ReadonlyMap<string, Tensor> | undefined;
  const trained = async () => (tensors ??= trainedTensors(training, await held.read()));
  const metrics = await hooks.aroundEvaluation(
    async () => evaluateModel(withParameters(initial, await trained()), evaluationOf(plan, scope.signal)),
    run,
  );
  const evaluation: Evaluation = { epoch, update: Math.floor(progress.done / training.accumulate), metrics };
  progress.evaluations.push(evaluation);
  progress.best = bestOf(progress.evaluations, monitor);
  const isBest = progress.best === progress.evaluations.length - 1;
  const event = { type: "evaluation", isBest, ...evaluation } as const;
  scope.emit(event);
  const shown = await trained();
  await hooks.onEvaluation({ event, model: withParameters(initial, shown), tensors: shown }, run);
}

/** What is trained is what is evaluated: the output is named, so that other data decides for no other. */
function evaluationOf({ model, step, drive, options }: Plan, signal: AbortSignal): EvaluateOptions {
  const { loss, terms, output = model.graph.outputs[0]?.name } = step;
  const { labels, session, open, evaluate } = options;
  const given = {
    signal,
    ...(loss !== undefined && { loss }),
    ...(terms && { terms }),
    ...(drive && { drive }),
    ...(output !== undefined && { output }),
    ...(labels !== undefined && { labels }),
    ...(session && { session }),
    ...(open && { open }),
    ...evaluate!,
  };
  return pickOptions<EvaluateOptions>(given, evaluateOptionsNames);
}

async function save({ progress, held, hooks, scope, checkpoints }: Training): Promise<void> {
  if (!checkpoints) return;
  const { done, evaluations, best } = progress;
  const facts = { step: done, evaluations, best, algorithms: await hooks.save() };
  const path = await checkpoints.save(facts, await held.read());
  scope.emit({ type: "checkpoint", step: done, path });
}

async function finished({ plan, progress, held, hooks, run }: Training): Promise<TrainResult> {
  const { options, training, model, monitor } = plan;
  const trained = withParameters(model, trainedTensors(training, await held.read()));
  const handed = await hooks.result(trained, run);
  const best = progress.best === undefined ? undefined : progress.evaluations[progress.best]!;
  const report: TrainReport = {
    parameters: trainedCount(training),
    steps: progress.done,
    updates: Math.floor(progress.done / training.accumulate),
    epochs: progress.done / plan.perEpoch,
    samples: options.data.size,
    seed: plan.pace.seed,
    seconds: (performance.now() - progress.started) / 1000,
    loss: progress.losses.sum / progress.losses.count,
    evaluations: progress.evaluations,
    ...(best && { best: { ...best, monitor: monitor.name } }),
    stoppedEarly: progress.stopReason !== undefined,
  };
  return { model: handed, report };
}

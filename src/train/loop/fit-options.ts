/** @file What `fit` can be told. */

import type { Augmentation, Dataset } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { checkCount, type OptionNames } from "../../options.ts";
import type { OpenSession, SessionOptions } from "../../runtime/index.ts";
import {
  type Algorithm,
  type Callbacks,
  callbacks,
  driven,
  type EarlyStoppingOptions,
  earlyStopping,
  keepBest,
  type Probe,
  probes,
  runningAverage,
} from "../algorithms/index.ts";
import type { Drives } from "../feeds/drive.ts";
import type { Loss, LossName } from "../losses/index.ts";
import type { Metric, MetricName } from "../metrics/index.ts";
import type { Schedule, ScheduleName } from "../schedules/index.ts";
import { type TrainingStepOptions, trainingStepOptionsNames } from "../step/step.ts";

export interface FitOptions extends TrainingStepOptions {
  readonly data: Dataset;
  /** The input of a sample that holds its label; its class index when absent. */
  readonly labels?: string;
  /** The algorithm `driven`: inputs of the model that the run feeds itself, by name; the data fills the others. */
  readonly drive?: Drives;
  readonly epochs: number;
  /** Samples per batch; 32 unless the model has a fixed size, which then also leaves out a last smaller batch. */
  readonly batch?: number;
  readonly learningRate: number;
  /** The factor of the learning rate over the run; constant by default. */
  readonly schedule?: Schedule | ScheduleName;
  /**
   * Random changes of the training pictures, in this order. They depend on the seed, the epoch and the position of a
   * sample alone, so that a resumed run makes the same ones.
   */
  readonly augment?: readonly Augmentation[];
  /**
   * Threads that read and augment the samples, ahead of the steps; 0 (default) leaves it to this thread. The data needs a
   * recipe, see `openLoader`. The result is the same bit for bit. Node only.
   */
  readonly workers?: number;
  /** Decides the order of the samples, their augmentation and the masks of dropout. */
  readonly seed?: number;
  /**
   * Batches per call of the runtime, as a loop in the graph. More copy less between steps and hold more batches in
   * memory; the result is the same bit for bit. Default 1.
   */
  readonly stepsPerRun?: number;
  readonly evaluate?: {
    readonly data: Dataset;
    readonly metrics?: readonly (Metric | MetricName)[];
    readonly batch?: number;
    /** The loss that is reported; that of the training by default. */
    readonly loss?: Loss | LossName;
    /** Epochs between evaluations. */
    readonly every?: number;
  };
  /** What changes training beside the steps, or looks at it. Called in this order, before those that options below stand for. */
  readonly algorithms?: readonly Algorithm[];
  /** The algorithm `probes`: what is measured of the model at every evaluation, on the same samples, and told as `measurement` events. */
  readonly probes?: readonly Probe[];
  /** The metric that says which evaluation is best; the loss by default. */
  readonly monitor?: string;
  /** The algorithm `earlyStopping`. Its `minDelta` decides which evaluation is best, too. */
  readonly earlyStopping?: EarlyStoppingOptions;
  /** The algorithm `keepBest` with `restore`: gives back the parameters of the best evaluation instead of the last ones. Needs a checkpoint folder. */
  readonly restoreBest?: boolean;
  /** A folder, and how often: after every epoch, and after every so many batches. Node only. */
  readonly checkpoint?: { readonly folder: string; readonly everySteps?: number };
  /** Goes on from the folder's checkpoint where there is one. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal;
  /** The algorithm `callbacks`: called and awaited in order; `"stop"` ends the run as early stopping does. */
  readonly callbacks?: Callbacks;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
}

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
  algorithms: true,
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
 * The algorithms that are given, then those that options stand for.
 *
 * @throws UsageError for two of one name, and for one that needs another option.
 */
export function algorithmsOf(options: FitOptions): readonly Algorithm[] {
  const { algorithms: given = [], average, drive, checkpoint, evaluate, restoreBest = false } = options;
  const keepsBest = given.some(({ name }) => name === keepBest().name);
  const all = [
    ...given,
    ...(average === undefined ? [] : [runningAverage(average)]),
    ...(drive ? [driven(drive)] : []),
    ...(checkpoint && evaluate && !keepsBest ? [keepBest({ restore: restoreBest })] : []),
    ...(options.probes ? [probes(options.probes)] : []),
    ...(options.earlyStopping ? [earlyStopping(options.earlyStopping)] : []),
    ...(options.callbacks ? [callbacks(options.callbacks)] : []),
  ];
  const names = new Set<string>();
  for (const { name, needs = [] } of all) {
    if (names.has(name)) throw new UsageError("two algorithms have one name", { got: JSON.stringify(name) });
    names.add(name);
    for (const needed of needs) {
      if (options[needed] === undefined) throw new UsageError(`the algorithm ${name} needs ${needed}`);
    }
  }
  return all;
}

/** @throws UsageError for counts that are none and for options that need others. */
export function checkFitOptions(options: FitOptions): void {
  const counts = {
    epochs: options.epochs,
    batch: options.batch,
    stepsPerRun: options.stepsPerRun,
    "evaluate.every": options.evaluate?.every,
    "checkpoint.everySteps": options.checkpoint?.everySteps,
  };
  for (const [name, value] of Object.entries(counts)) {
    if (value !== undefined) checkCount(name, value);
  }
  checkCount("workers", options.workers ?? 0, { least: 0 });
  if (!(options.learningRate >= 0 && Number.isFinite(options.learningRate))) {
    throw new UsageError("the learning rate is out of range", { got: String(options.learningRate) });
  }
  need(options, "resume", "checkpoint");
  need(options, "restoreBest", "checkpoint");
  need(options, "restoreBest", "evaluate");
  need(options, "earlyStopping", "evaluate");
  need(options, "monitor", "evaluate");
  need(options, "probes", "evaluate");
}

function need(options: FitOptions, name: keyof FitOptions, other: keyof FitOptions): void {
  if (options[name] === undefined || options[name] === false || options[other] !== undefined) return;
  throw new UsageError(`${name} needs ${other}`);
}

/** @file What an algorithm is: something beside the steps that changes training, or looks at it, at named events of a run. */
import type { Dataset } from "../../data/index.ts";
import type { Model, Tensor } from "../../ir/index.ts";
import type { OptionNames } from "../../options.ts";
import type { OpenSession, SessionOptions } from "../../runtime/index.ts";
import type { BatchPart } from "../feeds/batch-part.ts";
import type { Drives } from "../feeds/drive.ts";
import type { Monitor } from "../loop/best.ts";
import type { Checkpoints } from "../loop/checkpoints.ts";
import type { Evaluation, Measurement, TrainEvent } from "../loop/events.ts";
import type { TrainingStep, TrainingStepOptions } from "../step/step.ts";
import type { AlgorithmState, Json } from "./algorithm-state.ts";

/** Changes training, or looks at it. Depends on its settings alone, so that one can be given to several runs. */
export interface Algorithm {
  /** Tells algorithms of one run apart; stands in checkpoints, measurements and errors. */
  readonly name: string;
  /** What decides how it changes the parameters: a run with other settings is another one and does not resume this one's checkpoints. */
  readonly settings?: Json;
  /** Options that a run with it has to have. */
  readonly needs?: readonly ("evaluate" | "checkpoint")[];
  /** Begins a run. */
  start(): Hooks;
}

/** What is trained, before the step graph is built. */
export interface Preparation {
  readonly model: Model;
  readonly step: TrainingStepOptions;
  /** Inputs that the run feeds itself. */
  readonly drive?: Drives | undefined;
  /** The part of each batch that this run takes, where several share it; all of it when absent. */
  readonly part?: BatchPart | undefined;
}

/** The gradient of a parameter, between the two halves of a step. */
export interface SeamGradient {
  /** The initializer of the model whose gradient it is. */
  readonly name: string;
  readonly dims: readonly number[];
  /** Changed in place. */
  readonly values: Float32Array;
}

type EventOf<T extends TrainEvent["type"]> = Extract<TrainEvent, { type: T }>;
/** By name, as an evaluation tells them. */
export type Metrics = Evaluation["metrics"];

export type StepEvent = EventOf<"step">;
export type EvaluationEvent = EventOf<"evaluation">;

/** An evaluation, and what was evaluated. */
export interface Evaluated {
  readonly event: EvaluationEvent;
  /** With averages where they are kept. */
  readonly model: Model;
  /** The trained tensors of that model, by the names of its initializers. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

type Awaitable<T> = T | Promise<T>;

/**
 * What is called in a run, each awaited before anything else happens. Within an event algorithms are called in the order in which they are
 * given; `result` goes through them the other way around.
 */
export interface Hooks {
  /** What to train instead. */
  prepare?(preparation: Preparation): Awaitable<Preparation>;
  /** Before the first batch. In a resumed run with the state that `save` gave at the checkpoint. */
  onStart?(run: TrainingRun, saved: AlgorithmState | undefined): Awaitable<void>;
  /**
   * The gradients of an update, counted from 1, before it: the mean over its batches, times the loss scale where there is one, before clipping. Where
   * the run takes a part of each batch, they are weighted so that their mean over all parts is the gradient of whole batches. The step then
   * runs as two graphs, one call of the runtime per batch.
   */
  onGradients?(gradients: readonly SeamGradient[], update: number, run: TrainingRun): Awaitable<void>;
  /** After a batch was told. */
  onStep?(event: StepEvent, run: TrainingRun): Awaitable<void>;
  /**
   * After an update of the parameters, which may be read and written here. A call of the runtime then ends with it; without `follows` that
   * is every update.
   */
  onUpdate?(run: TrainingRun): Awaitable<void>;
  /** Whether `onUpdate` is called after this update, counted from 1. */
  follows?(update: number): boolean;
  /** In the place of an evaluation: what `measure` finds, or what another run found. */
  aroundEvaluation?(measure: () => Promise<Metrics>, run: TrainingRun): Awaitable<Metrics>;
  /** In the place of the checkpoints of the folder, which `open` opens. */
  aroundCheckpoints?(open: () => Promise<Checkpoints>): Awaitable<Checkpoints>;
  /** After an evaluation was told. */
  onEvaluation?(evaluated: Evaluated, run: TrainingRun): Awaitable<void>;
  /** After an epoch and its evaluation, before its checkpoint. */
  onEpoch?(epoch: number, run: TrainingRun): Awaitable<void>;
  /** For the checkpoint: all that a resumed run needs to go on as this one. */
  save?(): Awaitable<AlgorithmState>;
  /** In the end, once: what to hand out in the place of the model with the trained parameters. */
  result?(model: Model, run: TrainingRun): Awaitable<Model>;
}

export const hooksNames: OptionNames<Hooks> = {
  prepare: true,
  onStart: true,
  onGradients: true,
  aroundEvaluation: true,
  aroundCheckpoints: true,
  onStep: true,
  onUpdate: true,
  follows: true,
  onEvaluation: true,
  onEpoch: true,
  save: true,
  result: true,
};

export const algorithmNames: OptionNames<Algorithm> = { name: true, settings: true, needs: true, start: true };

/** A run as its algorithms see it. */
export interface TrainingRun {
  /** What is trained, with the parameters that it began with. */
  readonly model: Model;
  readonly step: TrainingStep;
  /** Batches and updates so far. */
  readonly steps: number;
  readonly updates: number;
  readonly stepsPerEpoch: number;
  readonly evaluations: readonly Evaluation[];
  /** The position of the best evaluation. */
  readonly best: number | undefined;
  readonly monitor: Monitor;
  readonly settings: RunSettings;
  readonly signal: AbortSignal;
  /** The state of the step, by the names of its inputs; all of it without names. */
  read(names?: readonly string[]): Promise<Map<string, Tensor>>;
  /** Puts other tensors in the place of parts of the state. */
  write(tensors: ReadonlyMap<string, Tensor>): Promise<void>;
  /** Ends the run after the batches in hand, as early stopping does. The last reason is told. */
  stop(reason: string): void;
  /** Tells what was measured, under a name. */
  measured(name: string, measurements: readonly Measurement[]): void;
}

/** The settings of a run that algorithms depend on. */
export interface RunSettings {
  readonly evaluate?: { readonly data: Dataset; readonly batch?: number } | undefined;
  readonly drive?: Drives | undefined;
  readonly open?: OpenSession | undefined;
  readonly session?: SessionOptions | undefined;
  /** The folder of the checkpoints. */
  readonly folder?: string | undefined;
}

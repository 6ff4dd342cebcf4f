/** @file What a technique is: a change of a network with settings, which one job runs from files to files. */
import type * as z from "zod";
import type { Dataset } from "../data/index.ts";
import type { RecoveryOptions } from "../distill/index.ts";
import type { Model } from "../ir/index.ts";
import type { Batch, Comparison, KernelBlocks } from "../measure/index.ts";
import type { ExecutionProvider, Feeds, OpenSession, Run, Session } from "../runtime/index.ts";
import type { Algorithm, TrainEvent, TrainReport, TrainResult } from "../train/index.ts";
import type { Sections } from "./section.ts";

/** What would be done. */
export interface Plan {
  /** In words, without where it goes. */
  readonly sentence: string;
  /** For `--json`. */
  readonly facts: object;
}

/** What was done. */
export interface Evidence {
  readonly model: Model;
  /** In words. */
  readonly sentence: string;
  /** For `--json`. */
  readonly facts: object;
  /** Of the training, if there was one. */
  readonly training?: TrainReport;
}

/** The samples of a run. */
export interface TechniqueData {
  /** Those to choose by. */
  calibration(): AsyncIterable<Feeds>;
  /** One batch of those that verify, to time with, and the samples in it. */
  timed(): Promise<{ readonly feeds: Feeds; readonly count: number }>;
  /** As data sets, where they are samples; those to train on have no part in choosing and verifying. */
  readonly datasets?: { readonly calibration: Dataset; readonly training: Dataset };
  /** The number of samples that the model takes at once, where it takes one number only. */
  readonly batch?: number;
}

/** A model, and what is to be known of it. */
export interface MadeModel<T extends object> {
  readonly model: Model;
  readonly facts: T;
}

/** What the job gives a technique to work with. */
export interface TechniqueContext {
  readonly open: OpenSession;
  readonly session: { readonly ep: ExecutionProvider; readonly threads: number };
  readonly seed: number;
  readonly signal: AbortSignal;
  /** The models beside the one that is changed, ready like it. */
  readonly others: readonly Model[];
  /** The original, as an application runs it. */
  readonly original: Session;
  readonly data: TechniqueData;
  /** The samples to choose by with their labels, where they have any. */
  labelled(): AsyncIterable<Batch>;
  /** How accuracy is to be won back, where it is. */
  readonly recovery?: RecoveryOptions;
  /** Where trainings of the technique's own keep their state, and whether an earlier run left any. */
  readonly checkpoints: { readonly folder: string; readonly resume: boolean };
  /** Whether sums of products of 8-bit numbers saturate where the model is to run. */
  saturates(): Promise<boolean>;
  /** The blocks of kernels where the model is to run: measured once per machine. */
  kernelBlocks(): Promise<KernelBlocks>;
  /** Plain data that measuring decides: a run that was interrupted goes on with what it decided. */
  once<T extends object>(key: string, decide: () => Promise<T>): Promise<T>;
  /** A model that takes a training, with plain facts of it: a run that was interrupted goes on with what it made. */
  onceModel<T extends object>(key: string, make: () => Promise<MadeModel<T>>): Promise<MadeModel<T>>;
  /** The same for a part of the work, whose training keeps a state of its own. */
  part(name: string): TechniqueContext;
  /** Keeps an event in the folder of the run. */
  emit(event: object): Promise<void>;
  /** Keeps an event of a training, and shows it. */
  trained(event: TrainEvent): Promise<void>;
  /**
   * The changed model after the distillation from the model that was ready, by its answers and by the values of the given names, which
   * both have, with further algorithms of that training; as it is where no recovery is asked for.
   */
  recover(
    changed: Model,
    values?: readonly string[],
    algorithms?: readonly Algorithm[],
  ): Promise<Pick<Evidence, "model" | "training">>;
  /** Follows a training of the technique's own to its end. */
  follow(run: Run<TrainEvent, TrainResult>): Promise<TrainResult>;
  say(line: string): void;
  progress(event: {
    readonly stage: string;
    readonly done: number;
    readonly total: number;
    readonly detail?: string;
  }): void;
}

/** What is asked of every technique beside its own settings. */
export interface Asked {
  readonly data?: string;
  readonly finetune?: number;
  /** The file to write. */
  readonly out?: string;
}

export interface Technique<S extends z.ZodObject = z.ZodObject, E extends Evidence = Evidence> {
  /** Of its command and of its runs. */
  readonly name: string;
  readonly summary: string;
  /** Its own. Those of data, runtime, recovery, bounds and writing are the job's. */
  readonly settings: S;
  /** How a model is made ready: without what it does not need, with its shape arithmetic computed, so that equal blocks look equal, or not at all. */
  readonly ready: "cleaned" | "blocks" | "nothing";
  /** What the result is held to where nobody says: the numbers of the original, or its answers. */
  readonly keeps: "numbers" | "answers";
  /** Whether distillation from the original can win accuracy back. */
  readonly recovers: boolean;
  /** Whether an interrupted run can go on though nothing is distilled: the technique keeps what it has done in `checkpoints`. */
  readonly resumes?: boolean;
  /** Whether a result that is slower than the original is refused, unless `--allow-slower` says otherwise. */
  readonly refusesSlower?: boolean;
  /** What stands behind the name of the model in that of its result: `_parallel`. */
  suffix(settings: z.output<S>): string;
  /** Models beside the one that is changed: operands in front of it, as name and meaning. */
  readonly others?: readonly (readonly [operand: string, meaning: string])[];
  /** Before any file is opened. @throws UsageError for what cannot be together, and for samples that nobody gave */
  check(settings: z.output<S> & Asked): void;
  /** @throws what `run` would throw of the model and the settings */
  plan(model: Model, settings: z.output<S>, others?: readonly Model[]): Plan;
  run(model: Model, settings: z.output<S>, context: TechniqueContext): Promise<E>;
  /** Further facts of the result on the samples that verify: for the report alone, nothing is chosen any more. */
  observe?(evidence: E, open: (model: Model) => Promise<Session>, batches: AsyncIterable<Batch>): Promise<E>;
  sections(evidence: E, settings: z.output<S>, comparison: Comparison): Sections;
}

/** The technique, its settings typed by their schema. */
export function defineTechnique<S extends z.ZodObject, E extends Evidence>(
  technique: Technique<S, E>,
): Technique<S, E> {
  return technique;
}

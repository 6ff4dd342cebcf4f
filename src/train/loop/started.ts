/** @file The algorithms of one run. */
import type { Model } from "../../ir/index.ts";
import { checkOptions } from "../../options.ts";
import { algorithmNames, hooksNames } from "../algorithms/algorithm.ts";
import type {
  Algorithm,
  AlgorithmState,
  Evaluated,
  Hooks,
  Metrics,
  Preparation,
  SeamGradient,
  StepEvent,
  TrainingRun,
} from "../algorithms/index.ts";
import type { Checkpoints } from "./checkpoints.ts";

/** All algorithms of a run as one: each event goes to those that listen to it, in order. */
export interface Started {
  /** Whether the run has to come back after an update, counted from 1. */
  follows(update: number): boolean;
  /** Names of those that keep a state. */
  readonly keeping: readonly string[];
  prepare(preparation: Preparation): Promise<Preparation>;
  onStart(run: TrainingRun, saved: ReadonlyMap<string, AlgorithmState>): Promise<void>;
  /** Whether any takes the gradients in hand. */
  readonly takesGradients: boolean;
  onGradients(gradients: readonly SeamGradient[], update: number, run: TrainingRun): Promise<void>;
  /** The first algorithm outermost. */
  aroundEvaluation(measure: () => Promise<Metrics>, run: TrainingRun): Promise<Metrics>;
  aroundCheckpoints(open: () => Promise<Checkpoints>): Promise<Checkpoints>;
  onStep(event: StepEvent, run: TrainingRun): Promise<void>;
  onUpdate(run: TrainingRun): Promise<void>;
  onEvaluation(evaluated: Evaluated, run: TrainingRun): Promise<void>;
  onEpoch(epoch: number, run: TrainingRun): Promise<void>;
  save(): Promise<Map<string, AlgorithmState>>;
  /** The last algorithm first. */
  result(model: Model, run: TrainingRun): Promise<Model>;
}

/** @throws UsageError for hooks of unknown names. */
export function started(algorithms: readonly Algorithm[]): Started {
  const all = algorithms.map((algorithm) => {
    const { name } = checkOptions(algorithm, algorithmNames);
    return { name, hooks: checkOptions(algorithm.start(), hooksNames) };
  });
  const of = <H extends keyof Hooks>(hook: H) =>
    all.flatMap(({ name, hooks }) => {
      const call = hooks[hook]?.bind(hooks) as NonNullable<Hooks[H]> | undefined;
      return call ? [{ name, call }] : [];
    });
  const [steps, keeping, gradients] = [of("onStep"), of("save"), of("onGradients")];
  const updates = all.flatMap(({ hooks }) => (hooks.onUpdate ? [hooks] : []));
  const isFollowed = (hooks: Hooks, update: number) => hooks.follows?.(update) ?? true;
  return {
    follows: (update) => updates.some((hooks) => isFollowed(hooks, update)),
    keeping: keeping.map(({ name }) => name),
    async prepare(preparation) {
      let prepared = preparation;
      for (const { call } of of("prepare")) prepared = await call(prepared);
      return prepared;
    },
    async onStart(run, saved) {
      for (const { name, call } of of("onStart")) await call(run, saved.get(name));
    },
    takesGradients: gradients.length > 0,
    async onGradients(given, update, run) {
      for (const { call } of gradients) await call(given, update, run);
    },
    aroundEvaluation: (measure, run) => nested(of("aroundEvaluation"), measure, run),
    aroundCheckpoints: (open) => nested(of("aroundCheckpoints"), open, undefined),
    async onStep(event, run) {
      for (const { call } of steps) await call(event, run);
    },
    async onUpdate(run) {
      for (const hooks of updates) if (isFollowed(hooks, run.updates)) await hooks.onUpdate?.(run);
    },
    async onEvaluation(evaluated, run) {
      for (const { call } of of("onEvaluation")) await call(evaluated, run);
    },
    async onEpoch(epoch, run) {
      for (const { call } of of("onEpoch")) await call(epoch, run);
    },
    async save() {
      const states = new Map<string, AlgorithmState>();
      for (const { name, call } of keeping) states.set(name, await call());
      return states;
    },
    async result(model, run) {
      let handed = model;
      for (const { call } of of("result").reverse()) handed = await call(handed, run);
      return handed;
    },
  };
}

interface Around<T, C> {
  call(inner: () => Promise<T>, context: C): T | Promise<T>;
}

/** The first one outermost. */
function nested<T, C>(around: readonly Around<T, C>[], innermost: () => Promise<T>, context: C): Promise<T> {
  return around.reduceRight<() => Promise<T>>(
    (inner, { call }) =>
      async () =>
        call(inner, context),
    innermost,
  )();
}

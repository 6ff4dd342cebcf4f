/** @file Ranks that train by themselves, and meet now and then. */
import { must } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { floatsOf, type Tensor, tensorFromNumbers } from "../../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import type { Algorithm, TrainingRun } from "../../train/index.ts";
import type { Communicator } from "../communicator/communicator.ts";
import { denseExchange } from "../exchange/dense.ts";
import type { GradientExchange, LocalGradient } from "../exchange/exchange.ts";
import { prefixed, under } from "../prefixed.ts";
import { tensorsOfFirst } from "./bytes.ts";
import { meanStatistics } from "./mean-statistics.ts";
import { gatheredStates, stateOfRank } from "./rank-states.ts";
import { sharedRun } from "./shared-run.ts";

export interface LocalSgdOptions {
  /** This rank's end; stays open. */
  readonly communicator: Communicator;
  /** H: updates between two meetings; 8 by default. */
  readonly every?: number;
  /** Makes what averages how far the parameters of all ranks moved; `denseExchange` by default. */
  readonly exchange?: () => GradientExchange;
}

export interface DilocoOptions extends LocalSgdOptions {
  /** Of the outer steps; 0.7 by default. */
  readonly outerRate?: number;
  /** Nesterov momentum of the outer steps; 0.9 by default. */
  readonly outerMomentum?: number;
  /** Parts of the parameters that meet in turn, `every` / `fragments` updates apart; 1 by default. */
  readonly fragments?: number;
}

const localSgdOptionsNames: OptionNames<LocalSgdOptions> = { communicator: true, every: true, exchange: true };

const dilocoOptionsNames: OptionNames<DilocoOptions> = {
  ...localSgdOptionsNames,
  outerRate: true,
  outerMomentum: true,
  fragments: true,
};

/**
 * Every rank makes updates of its own part of the batches; after H of them all go on from their mean. Stich, "Local SGD converges fast and communicates
 * little" (2018), arXiv:1805.09767.
 */
export function localSgd(options: LocalSgdOptions): Algorithm {
  const { every = 8, ...rest } = checkOptions(options, localSgdOptionsNames);
  return meeting("local-sgd", { every, ...rest, outerRate: 1, outerMomentum: 0, fragments: 1 });
}

/**
 * As `localSgd`, but how far the ranks moved on average is the gradient of an outer step of SGD with Nesterov momentum: Δ = before − mean,
 * m ← μm + Δ, after = before − η(Δ + μm). Douillard et al., "DiLoCo" (2023), arXiv:2311.08105; with AdamW as the optimizer of the run and H of hundreds. With
 * `fragments`, every n-th parameter meets at a time of its own, which bounds the bytes at once (Streaming DiLoCo, arXiv:2501.18512, without its delay); with an exchange that
 * compresses and keeps errors it is what SparseLoCo does (arXiv:2508.15706).
 */
export function diloco(options: DilocoOptions): Algorithm {
  const { every = 500, outerRate = 0.7, outerMomentum = 0.9, ...rest } = checkOptions(options, dilocoOptionsNames);
  const { fragments = 1, ...others } = rest;
  checkCount("fragments", fragments, { most: every });
  if (!(outerRate > 0 && outerMomentum >= 0 && outerMomentum < 1)) {
    throw new UsageError("the outer step is out of range", {
      expected: "an outerRate above 0 and an outerMomentum from 0, below 1",
      got: `${outerRate} and ${outerMomentum}`,
    });
  }
  return meeting("diloco", { every, outerRate, outerMomentum, fragments, ...others });
}

type Settings = Required<Omit<DilocoOptions, "exchange">> & Pick<DilocoOptions, "exchange">;

/** All meet at evaluations, checkpoints and the end of epochs too, so that there is one model then. */
function meeting(name: string, { communicator, exchange: make = denseExchange, ...outer }: Settings): Algorithm {
  const { every, fragments } = outer;
  checkCount("every", every);
  return {
    name,
    settings: { every, fragments, outerRate: outer.outerRate, outerMomentum: outer.outerMomentum },
    start() {
      const exchange = make();
      const steps = outerSteps(communicator, exchange, outer);
      let training: TrainingRun | undefined;
      let [met, settled] = [0, 0];
      const meet = (run: TrainingRun, fragment?: number): Promise<void> => during(() => steps.meet(run, fragment));
      const settle = async (): Promise<void> => {
        if (!training || training.steps === settled) return;
        settled = training.steps;
        const isApart = training.updates !== met;
        met = training.updates;
        if (isApart) await meet(training);
        await meanStatistics(communicator, training);
      };
      const { hooks, during } = sharedRun(communicator, settle);
      return {
        ...hooks,
        async onStart(run, saved) {
          training = run;
          [met, settled] = [run.updates, run.steps];
          const own = saved && stateOfRank(saved, communicator);
          await run.write(await tensorsOfFirst(communicator, await run.read()));
          await steps.begin(run, own);
        },
        follows: (update) => dueAt(update, outer) !== undefined,
        async onUpdate(run) {
          await meet(run, dueAt(run.updates, outer));
          if (fragments === 1) met = run.updates;
        },
        async save() {
          await settle();
          return gatheredStates(communicator, training ? await steps.state(training) : new Map());
        },
      };
    },
  };
}

type Outer = Pick<Settings, "every" | "outerRate" | "outerMomentum" | "fragments">;

/** The fragment that meets after an update, counted from 1. */
function dueAt(update: number, { every, fragments }: Outer): number | undefined {
  for (let fragment = 0; fragment < fragments; fragment++) {
    if ((update + Math.floor((fragment * every) / fragments)) % every === 0) return fragment;
  }
  return undefined;
}

interface OuterSteps {
  begin(run: TrainingRun, saved: ReadonlyMap<string, Float32Array> | undefined): Promise<void>;
  /** Of every parameter, or of those of a fragment. */
  meet(run: TrainingRun, fragment: number | undefined): Promise<void>;
  state(run: TrainingRun): Promise<ReadonlyMap<string, Float32Array>>;
}

/** Where in a checkpoint the state of the exchange, the outer momentum, and that of a rank's own optimizer are. */
const places = { exchange: "exchange/", outer: "outer/", inner: "inner/" } as const;

function outerSteps(communicator: Communicator, exchange: GradientExchange, outer: Outer): OuterSteps {
  const { outerRate, outerMomentum, fragments } = outer;
  const before = new Map<string, Float32Array>();
  const momentum = new Map<string, Float32Array>();
  const move = ({ name, values: mean }: LocalGradient): Float32Array => {
    const start = must(before, name);
    const speed = momentum.get(name) ?? new Float32Array(mean.length);
    for (const [i, moved] of mean.entries()) {
      const next = outerMomentum * (speed[i] ?? 0) + moved;
      speed[i] = next;
      start[i] = (start[i] ?? 0) - outerRate * (outerMomentum === 0 ? moved : moved + outerMomentum * next);
    }
    if (outerMomentum > 0) momentum.set(name, speed);
    return start;
  };
  return {
    async begin(run, saved) {
      for (const [name, tensor] of await run.read(parametersOf(run))) before.set(name, floatsOf(tensor).slice());
      if (!saved) return;
      exchange.restore(under(places.exchange, saved));
      for (const [name, values] of under(places.outer, saved)) momentum.set(name, values);
      const inner = under(places.inner, saved);
      await run.write(new Map(innerOf(run).map(({ name, dims }) => [name, floats(dims, must(inner, name))])));
    },
    async meet(run, fragment) {
      const names = parametersOf(run).filter((_, i) => fragment === undefined || i % fragments === fragment);
      const own = await run.read(names);
      const moved = names.map((name): LocalGradient => {
        const { dims } = must(own, name);
        const start = must(before, name);
        return { name, dims, values: floatsOf(must(own, name)).map((value, i) => (start[i] ?? 0) - value) };
      });
      await exchange.average(communicator, moved, run.updates);
      await run.write(new Map(moved.map((gradient) => [gradient.name, floats(gradient.dims, move(gradient))])));
    },
    async state(run) {
      const inner = await run.read(innerOf(run).map(({ name }) => name));
      return new Map([
        ...prefixed(places.exchange, exchange.readState()),
        ...prefixed(places.outer, momentum),
        ...prefixed(places.inner, new Map([...inner].map(([name, tensor]) => [name, floatsOf(tensor)]))),
      ]);
    },
  };
}

function parametersOf({ step }: TrainingRun): string[] {
  return step.state.filter(({ kind }) => kind === "parameter").map(({ name }) => name);
}

/** What each rank's own optimizer keeps. */
function innerOf({ step }: TrainingRun): { readonly name: string; readonly dims: readonly number[] }[] {
  const kept = step.state.filter(({ kind, initial }) => kind === "optimizer" && initial.dtype === "float32");
  return kept.map(({ name, initial: { dims } }) => ({ name, dims }));
}

function floats(dims: readonly number[], values: Float32Array): Tensor {
  return tensorFromNumbers("float32", dims, values);
}

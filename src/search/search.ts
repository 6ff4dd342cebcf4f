/** @file A search: candidates of a space, in the order of a strategy, each evaluated once, within a budget. */

import { random } from "../data/index.ts";
import { type Clock, type Deadline, deadlineIn, isPast, limitedSignal } from "../deadline.ts";
import { CancelledError, UsageError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { checkCancelled, type MissedEvents, type Run, type RunScope, startRun } from "../runtime/index.ts";
import type { Space } from "./space.ts";
import type { SearchStore } from "./store.ts";
import type { Strategy, StrategyScope, Trial } from "./strategy.ts";

/** What a search may spend. What an earlier, interrupted search has evaluated counts, its seconds do not. */
export interface SearchBudget {
  readonly evaluations?: number;
  /** The sum of the fidelities. */
  readonly cost?: number;
  /** No evaluation begins after them, and the signal of the one under way is aborted. */
  readonly seconds?: number;
}

export interface EvaluationContext {
  /** How thorough the evaluation is to be, in the strategy's measure; 1 where it has none. */
  readonly fidelity: number;
  /** Aborted when the search is cancelled or its time is spent. */
  readonly signal: AbortSignal;
}

export interface SearchOptions<C, V> {
  readonly space: Space<C>;
  readonly strategy: Strategy<NoInfer<C>, NoInfer<V>>;
  /** `undefined` where nothing comes of the candidate: that is spent, and not kept. */
  evaluate(candidate: C, context: EvaluationContext): Promise<V | undefined>;
  /** Larger is better; -∞ and NaN for what must not win. */
  score(value: NoInfer<V>, candidate: C): number;
  /** Until the strategy ends by default. */
  readonly budget?: SearchBudget;
  /** Of the strategy's draws; 1 by default. */
  readonly seed?: number;
  /** What was evaluated earlier is taken from here, and what is evaluated kept. */
  readonly store?: SearchStore<NoInfer<V>>;
  readonly signal?: AbortSignal;
  /** What the seconds are kept by; the machine's clock by default. */
  readonly clock?: Clock;
}

export type SearchEvent<C, V> =
  | MissedEvents
  | {
      readonly type: "trial";
      readonly trial: Trial<C, V>;
      /** Whether it came from the store. */
      readonly isKept: boolean;
      readonly evaluations: number;
      readonly cost: number;
    };

export interface SearchResult<C, V> {
  /** The largest score at the largest fidelity, the first of equal ones; absent where nothing may win. */
  readonly best?: Trial<C, V>;
  /** In the order of their evaluation. */
  readonly trials: readonly Trial<C, V>[];
  readonly cost: number;
  /** Whether the strategy came to its end before the budget did. */
  readonly isComplete: boolean;
}

const searchOptionsNames: OptionNames<SearchOptions<unknown, unknown>> = {
  space: true,
  strategy: true,
  evaluate: true,
  score: true,
  budget: true,
  seed: true,
  store: true,
  signal: true,
  clock: true,
};

const budgetNames: OptionNames<SearchBudget> = { evaluations: true, cost: true, seconds: true };

/**
 * Searches a space. The same space, strategy, seed and values give the same trials in the same order; with a store, an interrupted search
 * goes through what it knows without evaluating it again, and ends as one that was never interrupted.
 *
 * @throws UsageError for a budget that is none; through `result`: UsageError for a strategy that needs more of the space, CancelledError,
 * and what an evaluation throws.
 */
export function search<C, V>(options: SearchOptions<C, V>): Run<SearchEvent<C, V>, SearchResult<C, V>> {
  const { budget = {}, signal } = checkOptions(options, searchOptionsNames);
  for (const [name, amount] of Object.entries(checkOptions(budget, budgetNames))) {
    if (amount > 0) continue;
    throw new UsageError(`the budget of ${name} must be above 0`, { got: String(amount) });
  }
  return startRun((scope) => work(options, scope), signal ? { signal } : {});
}

/** What ends a strategy that is not through when the budget is. */
class BudgetSpent extends Error {}

async function work<C, V>(
  options: SearchOptions<C, V>,
  { emit, signal }: RunScope<SearchEvent<C, V>>,
): Promise<SearchResult<C, V>> {
  const { strategy, budget: { seconds } = {}, clock } = options;
  const end = seconds === undefined ? undefined : deadlineIn(1000 * seconds, clock);
  using limited = end && limitedSignal(signal, end);
  const times: Times = { signal, limited: limited?.signal ?? signal, end };
  const { scope, cost } = openScope(options, times, emit);
  const isComplete = await strategy.run(scope).then(
    () => true,
    (error: unknown) => {
      if (error instanceof BudgetSpent) return false;
      throw error;
    },
  );
  const best = bestOf(scope.trials);
  return { ...(best && { best }), trials: scope.trials, cost: cost(), isComplete };
}

/** When evaluations have to end: by the caller's will, and by that or the time. */
interface Times {
  readonly signal: AbortSignal;
  readonly limited: AbortSignal;
  readonly end: Deadline | undefined;
}

function openScope<C, V>(
  options: SearchOptions<C, V>,
  times: Times,
  emit: (event: SearchEvent<C, V>) => void,
): { readonly scope: StrategyScope<C, V>; readonly cost: () => number } {
  const { space, score, seed = 1, budget: { evaluations = Infinity, cost: most = Infinity } = {} } = options;
  const trials: Trial<C, V>[] = [];
  const known = new Map<string, Trial<C, V> | undefined>();
  const isAllowed = (candidate: C): boolean => space.isAllowed?.(candidate) ?? true;
  let [spent, cost] = [0, 0];
  const scope: StrategyScope<C, V> = {
    space,
    draw: random(seed, SEARCH),
    trials,
    isNew: (candidate, fidelity = 1) => isAllowed(candidate) && !known.has(nameOf(space.key(candidate), fidelity)),
    async evaluate(candidate, fidelity = 1) {
      const key = space.key(candidate);
      const name = nameOf(key, fidelity);
      if (known.has(name) || !isAllowed(candidate)) return known.get(name);
      checkCancelled(times.signal);
      if (spent + 1 > evaluations || cost + fidelity > most) throw new BudgetSpent();
      const { value, isKept } = await valueFor(options, times, name, candidate, fidelity);
      spent++;
      cost += fidelity;
      known.set(name, undefined);
      if (value === undefined) return undefined;
      const trial = { candidate, key, fidelity, value, score: scoreOf(score(value, candidate)) };
      trials.push(trial);
      known.set(name, trial);
      emit({ type: "trial", trial, isKept, evaluations: spent, cost });
      return trial;
    },
  };
  return { scope, cost: () => cost };
}

/** From the store, or evaluated and kept. */
async function valueFor<C, V>(
  { evaluate, store }: SearchOptions<C, V>,
  { signal, limited, end }: Times,
  name: string,
  candidate: C,
  fidelity: number,
): Promise<{ readonly value: V | undefined; readonly isKept: boolean }> {
  const kept = await store?.load(name);
  if (kept !== undefined) return { value: kept, isKept: true };
  if (isPast(end)) throw new BudgetSpent();
  try {
    const value = await evaluate(candidate, { fidelity, signal: limited });
    if (value !== undefined) await store?.keep(name, value);
    return { value, isKept: false };
  } catch (error) {
    checkCancelled(signal);
    throw error instanceof CancelledError && isPast(end) ? new BudgetSpent() : error;
  }
}

/** The stream of random numbers. */
const SEARCH = 0x5ea4c;

function nameOf(key: string, fidelity: number): string {
  return fidelity === 1 ? key : `${key} at ${fidelity}`;
}

function scoreOf(score: number): number {
  return Number.isNaN(score) ? Number.NEGATIVE_INFINITY : score;
}

function bestOf<C, V>(trials: readonly Trial<C, V>[]): Trial<C, V> | undefined {
  const able = trials.filter(({ score }) => score > Number.NEGATIVE_INFINITY);
  return able.toSorted((a, b) => b.fidelity - a.fidelity || b.score - a.score)[0];
}

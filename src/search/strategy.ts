/** @file What a strategy is: which candidate comes next, given what came of those before. */
import type { Random } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import type { Space, SpacePart } from "./space.ts";

/** A candidate that was evaluated. */
export interface Trial<C, V> {
  readonly candidate: C;
  readonly key: string;
  readonly fidelity: number;
  readonly value: V;
  /** Larger is better; -∞ for what must not win. */
  readonly score: number;
}

/** What a search gives its strategy. */
export interface StrategyScope<C, V> {
  readonly space: Space<C>;
  /** The only source of chance: the same seed gives the same draws. */
  readonly draw: Random;
  /** In the order of their evaluation; grows meanwhile. */
  readonly trials: readonly Trial<C, V>[];
  /** Whether the candidate is allowed and was not evaluated at this fidelity. */
  isNew(candidate: C, fidelity?: number): boolean;
  /**
   * What comes of a candidate at a fidelity, 1 by default: what is known of it, or an evaluation; `undefined` where nothing does, or where
   * it is not allowed. It does not return when the budget is spent, and nothing that it throws may be caught.
   */
  evaluate(candidate: C, fidelity?: number): Promise<Trial<C, V> | undefined>;
}

/** One member of the index in `strategies/`. */
export interface Strategy<C, V> {
  readonly name: string;
  /** Parts of the space without which it cannot work. */
  readonly needs: readonly SpacePart[];
  run(scope: StrategyScope<C, V>): Promise<void>;
}

type Having<C, P extends SpacePart> = Space<C> & Required<Pick<Space<C>, P>>;

/** A strategy of which `run` is given a space that has what it needs. */
export function strategyOf<C, V, const P extends SpacePart = never>(
  name: string,
  needs: readonly P[],
  run: (scope: StrategyScope<C, V> & { readonly space: Having<C, P> }) => Promise<void>,
): Strategy<C, V> {
  return {
    name,
    needs,
    async run(scope) {
      const { space } = scope;
      if (hasParts(space, needs)) return await run({ ...scope, space });
      throw new UsageError(`the strategy ${name} needs more of the space`, {
        expected: needs.join(", "),
        got: Object.keys(space).join(", "),
      });
    },
  };
}

function hasParts<C, P extends SpacePart>(space: Space<C>, needs: readonly P[]): space is Having<C, P> {
  return needs.every((part) => space[part] !== undefined);
}

/** So many draws in a row that give nothing new mean that there is nothing left. */
const ATTEMPTS = 1000;

/** A candidate that is new, of those that `draw` makes; `undefined` where none is found. */
export function drawnNew<C, V>(
  { isNew }: Pick<StrategyScope<C, V>, "isNew">,
  draw: () => C,
  fidelity = 1,
): C | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const candidate = draw();
    if (isNew(candidate, fidelity)) return candidate;
  }
  return undefined;
}

/** The best `count` of trials that may win; of equal ones those that came first. */
export function fittest<C, V>(trials: readonly Trial<C, V>[], count: number): Trial<C, V>[] {
  const able = trials.filter(({ score }) => score > Number.NEGATIVE_INFINITY);
  return able.toSorted((a, b) => b.score - a.score).slice(0, count);
}

/** @throws UsageError for a count of an option that is none */
export function checkCounts(counts: Readonly<Record<string, number>>, least = 1): void {
  for (const [name, count] of Object.entries(counts)) {
    if (Number.isSafeInteger(count) && count >= least) continue;
    throw new UsageError(`${name} must be a whole number of at least ${least}`, { got: String(count) });
  }
}

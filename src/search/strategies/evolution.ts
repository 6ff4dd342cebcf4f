/**
 * @file Evolution: the best so far are the parents of the next, by mutations and by crossovers (MetaPruning, Liu et al.,
 * arXiv:1903.10258, algorithm 1). With a lifetime the oldest stop being parents, so that one lucky measurement does not father everything
 * (regularised evolution, Real et al., arXiv:1802.01548).
 */
import { nth } from "../../checked.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkCounts, drawnNew, fittest, type Strategy, type StrategyScope, strategyOf } from "../strategy.ts";

export interface EvolutionOptions {
  /** Candidates that are drawn first; 50 by default. */
  readonly population?: number;
  /** How many of the best are parents; 10 by default. */
  readonly parents?: number;
  /** Children of one parent in each generation; 25 by default. */
  readonly mutations?: number;
  /** Children of two parents in each generation; 25 by default. */
  readonly crossovers?: number;
  /** Rounds of children; 20 by default. */
  readonly generations?: number;
  /** Parents are among the last so many candidates; among all by default. */
  readonly lifetime?: number;
}

const evolutionOptionsNames: OptionNames<EvolutionOptions> = {
  population: true,
  parents: true,
  mutations: true,
  crossovers: true,
  generations: true,
  lifetime: true,
};

/**
 * Children that the space does not allow, or that are known, are drawn again, so that every generation is full where there are so many.
 * It ends early when a generation brings nothing new.
 *
 * @throws UsageError for numbers that are none
 */
export function evolution<C, V>(options: EvolutionOptions = {}): Strategy<C, V> {
  const {
    population = 50,
    parents = 10,
    mutations = 25,
    crossovers = 25,
    generations = 20,
    lifetime,
  } = checkOptions(options, evolutionOptionsNames);
  checkCounts({ population, parents, ...(lifetime !== undefined && { lifetime }) });
  checkCounts({ mutations, crossovers, generations }, 0);
  return strategyOf("evolution", ["sample", "mutate", "cross"], async (scope) => {
    const { space, draw, trials } = scope;
    await evaluateNew(scope, population, () => space.sample(draw));
    for (let generation = 0; generation < generations; generation++) {
      const known = trials.length;
      const living = lifetime === undefined ? trials : trials.slice(-lifetime);
      const best = fittest(living, parents).map(({ candidate }) => candidate);
      if (best.length === 0) return;
      const parent = () => nth(best, draw.below(best.length));
      await evaluateNew(scope, mutations, () => space.mutate(parent(), draw));
      await evaluateNew(scope, crossovers, () => space.cross(parent(), parent(), draw));
      if (trials.length === known) return;
    }
  });
}

async function evaluateNew<C, V>(scope: StrategyScope<C, V>, count: number, draw: () => C): Promise<void> {
  for (let i = 0; i < count; i++) {
    const candidate = drawnNew(scope, draw);
    if (candidate === undefined) return;
    await scope.evaluate(candidate);
  }
}

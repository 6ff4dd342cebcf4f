/** @file Candidates by chance: what every other strategy has to beat. */
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkCounts, drawnNew, type Strategy, strategyOf } from "../strategy.ts";

export interface RandomSearchOptions {
  /** How many are drawn; fewer where no more are found. */
  readonly candidates: number;
}

const randomSearchOptionsNames: OptionNames<RandomSearchOptions> = { candidates: true };

/** @throws UsageError for a number that is none */
export function randomSearch<C, V>(options: RandomSearchOptions): Strategy<C, V> {
  const { candidates } = checkOptions(options, randomSearchOptionsNames);
  checkCounts({ candidates });
  return strategyOf("random", ["sample"], async (scope) => {
    for (let i = 0; i < candidates; i++) {
      const candidate = drawnNew(scope, () => scope.space.sample(scope.draw));
      if (candidate === undefined) return;
      await scope.evaluate(candidate);
    }
  });
}

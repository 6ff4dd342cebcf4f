/** @file Each change alone, then together: those that pay are added one after the other, the largest gain first, while that pays. */

import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { fittest, type Strategy, strategyOf, type Trial } from "../strategy.ts";

export interface EachAloneOptions {
  /** A change pays where it adds more than this to the score; 0 by default. */
  readonly least?: number;
}

const eachAloneOptionsNames: OptionNames<EachAloneOptions> = { least: true };

/**
 * What pays alone may not pay beside the others: a change that adds nothing to those that were taken is left out.
 *
 * @throws UsageError for a gain that is no number
 */
export function eachAloneThenTogether<C, V>(options: EachAloneOptions = {}): Strategy<C, V> {
  const { least = 0 } = checkOptions(options, eachAloneOptionsNames);
  if (!Number.isFinite(least)) throw new UsageError("least has to be a number", { got: String(least) });
  return strategyOf("each-alone-then-together", ["parts", "together"], async ({ space, evaluate }) => {
    let best = (await evaluate(space.together([])))?.score ?? Number.NEGATIVE_INFINITY;
    const alone: Trial<C, V>[] = [];
    for (const part of space.parts()) {
      const trial = await evaluate(part);
      if (trial && pays(trial, best)) alone.push(trial);
    }
    const taken: C[] = [];
    for (const { candidate } of fittest(alone, alone.length)) {
      const trial = await evaluate(space.together([...taken, candidate]));
      if (!trial || !pays(trial, best)) continue;
      taken.push(candidate);
      best = trial.score;
    }
  });

  function pays({ score }: Trial<C, V>, best: number): boolean {
    return score > best && score - best > least;
  }
}

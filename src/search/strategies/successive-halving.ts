/**
 * @file Successive halving: many candidates at little cost, the best part of them at more, and so on (Jamieson and Talwalkar,
 * arXiv:1502.07943; the rungs are those of one bracket of Hyperband, Li et al., arXiv:1603.06560).
 */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkCounts, drawnNew, fittest, type Strategy, strategyOf, type Trial } from "../strategy.ts";

export interface HalvingOptions {
  /** Fidelity of the first rung and of the last: epochs, samples, whatever the evaluation makes of it. */
  readonly least: number;
  readonly most: number;
  /** One of so many goes on, at so many times the fidelity; 3 by default. */
  readonly factor?: number;
  /** Of the first rung; as many as leave one for the last by default. */
  readonly candidates?: number;
}

/** Candidates that are evaluated at one fidelity. */
export interface Rung {
  readonly fidelity: number;
  readonly candidates: number;
}

const halvingOptionsNames: OptionNames<HalvingOptions> = { least: true, most: true, factor: true, candidates: true };

/**
 * What successive halving spends: the sum of fidelity × candidates over the rungs, each of which has ⌊1 / factor⌋ of the one before.
 * The last fidelity is `most`, whatever the factor comes to.
 *
 * @throws UsageError for fidelities that do not rise, and for numbers that are none
 */
export function halvingRungs(options: HalvingOptions): readonly Rung[] {
  const { least, most, factor = 3, candidates } = checkOptions(options, halvingOptionsNames);
  checkCounts({ factor }, 2);
  if (!(least > 0 && most > least && Number.isFinite(most)))
    throw new UsageError("fidelities have to rise from least to most", { got: `${least} to ${most}` });
  // A ratio that is a power of the factor has rounding in its logarithm.
  const steps = Math.max(1, Math.floor(Math.log(most / least) / Math.log(factor) + 1e-9));
  const first = candidates ?? factor ** steps;
  checkCounts({ candidates: first });
  return Array.from({ length: steps + 1 }, (_, i) => ({
    fidelity: i === steps ? most : least * factor ** i,
    candidates: Math.max(1, Math.floor(first / factor ** i)),
  }));
}

/** @throws as `halvingRungs` does */
export function successiveHalving<C, V>(options: HalvingOptions): Strategy<C, V> {
  const rungs = halvingRungs(options);
  return strategyOf("successive-halving", ["sample"], async (scope) => {
    let last: Trial<C, V>[] | undefined;
    for (const { fidelity, candidates } of rungs) {
      const rung: Trial<C, V>[] = [];
      for (let i = 0; i < candidates; i++) {
        const candidate = last ? last[i]?.candidate : drawnNew(scope, () => scope.space.sample(scope.draw), fidelity);
        if (candidate === undefined) break;
        const trial = await scope.evaluate(candidate, fidelity);
        if (trial) rung.push(trial);
      }
      last = fittest(rung, rung.length);
    }
  });
}

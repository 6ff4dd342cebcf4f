/** @file The winner of a race, with the benefit of the doubt for who holds the place. */
import type { Standing } from "../measure/index.ts";

export interface Raced {
  /** Against the first of the race; absent for what did not run in it. */
  readonly measured?: Standing;
}

/** The fastest of those that are faster than `first` by the whole 95 % interval of the ratio; `first` where there is none. */
export function certainlyFastest<R extends Raced>(first: R, others: readonly R[]): R {
  const certain = others.filter(({ measured }) => measured && measured.spread[0] > 1);
  const [best = first] = certain.toSorted((a, b) => b.measured!.ratio - a.measured!.ratio);
  return best;
}

/** @file What a program proposes, who sees what came of each proposal before he makes the next. */
import { type Strategy, strategyOf, type Trial } from "../strategy.ts";

export function proposals<C, V>(
  propose: (trials: readonly Trial<C, V>[]) => Iterable<C> | AsyncIterable<C>,
): Strategy<C, V> {
  return strategyOf("proposals", [], async ({ trials, evaluate }) => {
    for await (const candidate of propose(trials)) await evaluate(candidate);
  });
}

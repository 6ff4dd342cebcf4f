/** @file Every candidate of the space, in its order. */
import { type Strategy, strategyOf } from "../strategy.ts";

export function exhaustive<C, V>(): Strategy<C, V> {
  return strategyOf("exhaustive", ["all"], async ({ space, evaluate }) => {
    for (const candidate of space.all()) await evaluate(candidate);
  });
}

/** @file Seeded random integers for measuring: SplitMix (Steele, Lea, Flood 2014) with MurmurHash3's finaliser. */

/** 32-bit integers, the same for a seed. */
import { nth } from "../checked.ts";
export function splitMix(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return (z ^ (z >>> 16)) >>> 0;
  };
}

/** The items in random order (Fisher and Yates, Durstenfeld's form). */
export function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const chosen = random() % (last + 1);
    [order[last], order[chosen]] = [nth(order, chosen), nth(order, last)];
  }
  return order;
}

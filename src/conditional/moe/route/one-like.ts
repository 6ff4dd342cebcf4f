/** @file A factor of one that has a gradient. */
import type { Value } from "../../../ir/index.ts";
import type { Layers } from "../../../nn/index.ts";

const STEPS = 2 ** 20;

/** 1 + p − p₀ for p in [0, 1], where p₀ is p rounded down to steps of 2⁻²⁰, which stops the gradient: 1 up to 10⁻⁶, with the slope of p. */
export function oneLike(n: Layers, p: Value): Value {
  const steps = n.op("Floor", [n.mul(p, STEPS)]);
  const still = n.mul(steps, 1 / STEPS);
  return n.add(n.sub(p, still), 1);
}

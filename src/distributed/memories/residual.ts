/**
 * @file Error feedback: Seide et al., "1-bit stochastic gradient descent" (Interspeech 2014); Karimireddy et al. (2019), arXiv:1901.09847.
 *
 * p = g + e is compressed, and e ← p − C(p).
 */
import { slots } from "../exchange/slots.ts";
import type { Memory } from "./memory.ts";

/** Keeps `residual`: as many values as the tensor has. */
export function residual(): Memory {
  const kept = slots(["residual"]);
  return {
    name: "residual",
    compensate(gradient, { name }) {
      const error = kept.of("residual", name, gradient.length);
      return gradient.map((value, i) => value + (error[i] ?? 0));
    },
    update(compensated, sent, { name }) {
      const error = kept.of("residual", name, sent.length);
      for (const i of error.keys()) error[i] = (compensated[i] ?? 0) - (sent[i] ?? 0);
    },
    readState: kept.readState,
    restore: kept.restore,
  };
}

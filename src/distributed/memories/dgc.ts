/**
 * @file Momentum correction and momentum factor masking: Lin et al., "Deep gradient compression" (ICLR 2018), arXiv:1712.01887.
 *
 * u ← m·u + g, v ← v + u; v is compressed. Of what was sent, v ← v − C(v), and u ← 0 where C(v) ≠ 0. With Nesterov's momentum
 * u ← m·(u + g), v ← v + u + g. A tensor that is exchanged whole gets momentum after its mean: u ← m·u + ḡ.
 */
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { slots } from "../exchange/slots.ts";
import type { Memory } from "./memory.ts";

export interface DgcMemoryOptions {
  /** m, in [0, 1). 0 is no momentum correction: gradients are summed, and the optimizer may have momentum. Default 0.9. */
  readonly momentum?: number;
  readonly nesterov?: boolean;
  /** Whether the momentum of what was sent begins anew. Default true. */
  readonly factorMasking?: boolean;
}

export const dgcMemoryOptionsNames: OptionNames<DgcMemoryOptions> = {
  momentum: true,
  nesterov: true,
  factorMasking: true,
};

/** Keeps `momentum` (u) of every tensor and `sum` (v) of those that are compressed. The optimizer must be plain SGD unless m is 0. */
export function dgcMemory(options: DgcMemoryOptions = {}): Memory {
  const { momentum = 0.9, nesterov = false, factorMasking = true } = checkOptions(options, dgcMemoryOptionsNames);
  if (!(momentum >= 0 && momentum < 1)) {
    throw new UsageError("momentum is a factor", { expected: "a number from 0 to below 1", got: String(momentum) });
  }
  const kept = slots(["momentum", "sum"]);
  const { fround } = Math;
  const factor = fround(momentum);
  /** Advances u in place and gives the step that it makes of a gradient. */
  const advance = (u: Float32Array, gradient: Float32Array): Float32Array =>
    gradient.map((g, i) => {
      const before = u[i] ?? 0;
      const next = nesterov ? fround(factor * fround(before + g)) : fround(fround(factor * before) + g);
      u[i] = next;
      return nesterov ? next + g : next;
    });
  return {
    name: "dgc",
    compensate(gradient, { name }) {
      const step = advance(kept.of("momentum", name, gradient.length), gradient);
      const v = kept.of("sum", name, gradient.length);
      for (const i of v.keys()) v[i] = (v[i] ?? 0) + (step[i] ?? 0);
      return v.slice();
    },
    update(compensated, sent, { name }) {
      const [u, v] = [kept.of("momentum", name, sent.length), kept.of("sum", name, sent.length)];
      for (const [i, value] of sent.entries()) {
        v[i] = (compensated[i] ?? 0) - value;
        if (factorMasking && value !== 0) u[i] = 0;
      }
    },
    whole(mean, { name }) {
      mean.set(advance(kept.of("momentum", name, mean.length), mean));
    },
    readState: kept.readState,
    restore: kept.restore,
  };
}

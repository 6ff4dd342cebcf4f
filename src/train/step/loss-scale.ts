/** @file Dynamic loss scaling: Micikevicius et al., "Mixed precision training" (2017), arXiv:1710.03740; as torch.amp.GradScaler. */
import { scalar, type Tensor, type Value } from "../../ir/index.ts";
import type { StepBuilder } from "./step-builder.ts";

export interface LossScaleOptions {
  readonly initial?: number;
  /** Factor after `every` updates without overflow. */
  readonly growth?: number;
  /** Factor after an overflow, which also skips the update. */
  readonly backoff?: number;
  readonly every?: number;
}

export interface LossScaleState {
  readonly scale: Value;
  /** Updates since the scale last changed. */
  readonly good: Value;
}

export function initLossScale({ initial = 65536 }: LossScaleOptions): { scale: Tensor; good: Tensor } {
  return { scale: scalar("float32", initial), good: scalar("float32", 0) };
}

/** The next state; unchanged where `apply` is given and false. */
export function nextLossScale(
  g: StepBuilder,
  { scale, good }: LossScaleState,
  finite: Value,
  apply: Value | undefined,
  { growth = 2, backoff = 0.5, every = 2000 }: LossScaleOptions,
): { scale: Value; good: Value } {
  const count = g.add(good, 1);
  const grows = g.op("GreaterOrEqual", [count, g.number(every, "float32")]);
  const zero = g.number(0, "float32");
  const choose = (condition: Value, yes: Value, no: Value) => g.where(condition, yes, no);
  const nextScale = choose(finite, choose(grows, g.mul(scale, growth), scale), g.mul(scale, backoff));
  const nextGood = choose(finite, choose(grows, zero, count), zero);
  if (!apply) return { scale: nextScale, good: nextGood };
  return { scale: choose(apply, nextScale, scale), good: choose(apply, nextGood, good) };
}

/** @file What a gate decides: which part of a network sees which token, and how much its answer counts. */
import type { Value } from "../../ir/index.ts";
import { lengthOf } from "../../nn/index.ts";

/** Each token names its experts. */
export interface TokenChoice {
  readonly kind: "token-choice";
  /** int64 [tokens, k], no expert twice in a row. */
  readonly experts: Value;
  /** float32 [tokens, k], what the answer of each chosen expert is multiplied with. */
  readonly weights: Value;
  /** float32 [tokens, k] in [0, 1]: where capacity is short, lower ones are served first. Without it, tokens in their order. */
  readonly order?: Value;
}

/** Each expert names its tokens, as many as its capacity. */
export interface ExpertChoice {
  readonly kind: "expert-choice";
  /** int64 [experts, capacity], no token twice in a row. */
  readonly tokens: Value;
  /** float32 [experts, capacity]. */
  readonly weights: Value;
}

/** Every expert sees every token. */
export interface DenseRouting {
  readonly kind: "dense";
  /** float32 [tokens, experts]. */
  readonly weights: Value;
}

/** Experts see mixtures of the tokens of a sample: slot s of expert e is column e·slots + s. */
export interface SlotRouting {
  readonly kind: "slots";
  /** float32 [samples, tokens of each, experts · slots]; columns sum to 1. */
  readonly dispatch: Value;
  /** float32 [samples, tokens of each, experts · slots]; rows sum to 1. */
  readonly combine: Value;
}

export type Routing = TokenChoice | ExpertChoice | DenseRouting | SlotRouting;

/** k, the experts per token. */
export function choicesOf({ experts }: TokenChoice): number {
  return lengthOf(experts, -1);
}

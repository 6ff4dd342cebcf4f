/** @file Reductions of tokens. One reduction is one file and one line in `tokenReductions`; the laws iterate over it. */
import { merge } from "./merge.ts";
import { prune } from "./prune.ts";
import type { TokenReduction } from "./token-reduction.ts";

/** Every reduction under its name. */
export const tokenReductions = { merge, prune } satisfies Record<string, () => TokenReduction>;

export type TokenReductionName = keyof typeof tokenReductions;

export type { ReductionInputs, TokenReduction, Tokens } from "./token-reduction.ts";

/** @file A GPT whose blocks stand in n branches of m: Para-Former, arXiv:2407.21670, for sequences of tokens. */
import type { Model } from "../ir/index.ts";
import { type BranchOptions, parallelChains, type RandomSource } from "../nn/index.ts";
import { type GptOptions, gptAround, gptBlock } from "./gpt.ts";

export interface ParaGptOptions extends GptOptions, Partial<BranchOptions> {
  /** m, the blocks of a branch. */
  readonly depth?: number;
}

/** int64 ids [batch, context] → logits [batch, context, vocabulary] of each next token. */
export function paraGpt(source: RandomSource, options: ParaGptOptions): Model {
  const { depth = 1, branches = 4, combine = "sum" } = options;
  return gptAround(source, options, (n, tokens) =>
    parallelChains(n, tokens, gptBlock(options), { depth, branches, combine }),
  );
}

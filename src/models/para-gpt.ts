/** @file A GPT whose blocks stand in n branches of m: Para-Former, arXiv:2407.21670, for sequences of tokens. */
import type { Model } from "../ir/index.ts";
import { type BranchOptions, parallelChains, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames, pickOptions } from "../options.ts";
import { type GptOptions, gptAround, gptBlock, gptOptionsNames } from "./gpt.ts";

export interface ParaGptOptions extends GptOptions, Partial<BranchOptions> {
  /** m, the blocks of a branch. */
  readonly depth?: number;
}

const paraGptOptionsNames: OptionNames<ParaGptOptions> = {
  depth: true,
  vocabulary: true,
  context: true,
  width: true,
  heads: true,
  dropout: true,
  branches: true,
  combine: true,
};

/** int64 ids [batch, context] → logits [batch, context, vocabulary] of each next token. */
export function paraGpt(source: RandomSource, options: ParaGptOptions): Model {
  checkOptions(options, paraGptOptionsNames);
  const { depth = 1, branches = 4, combine = "sum" } = options;
  const body = pickOptions<GptOptions>(options, gptOptionsNames);
  return gptAround(source, body, (n, tokens) =>
    parallelChains(n, tokens, gptBlock(body), { depth, branches, combine }),
  );
}

/**
 * @file Para-Former-m-n: n branches of m transformer blocks over the same patches: Wang et al. (2024), arXiv:2407.21670; on
 * pre-norm blocks with an identity path.
 */
import type { Model } from "../ir/index.ts";
import { type BranchOptions, parallelChains, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type VitOptions, vitAround, vitBlock } from "./vit.ts";

export interface ParaFormerOptions extends Omit<VitOptions, "dropPath">, Partial<BranchOptions> {
  /** m, the blocks of a branch. */
  readonly depth?: number;
}

const paraFormerOptionsNames: OptionNames<ParaFormerOptions> = {
  depth: true,
  dropout: true,
  channels: true,
  size: true,
  patch: true,
  width: true,
  heads: true,
  expansion: true,
  classes: true,
  pooling: true,
  branches: true,
  combine: true,
};

/**
 * [batch, channels, size, size] → logits [batch, classes]. With one branch it is `vit` of that depth, initial values
 * included.
 */
export function paraFormer(source: RandomSource, options: ParaFormerOptions = {}): Model {
  checkOptions(options, paraFormerOptionsNames);
  const { depth = 1, branches = 6, combine = "sum" } = options;
  return vitAround(source, options, (n, tokens) =>
    parallelChains(n, tokens, vitBlock(options), { depth, branches, combine }),
  );
}

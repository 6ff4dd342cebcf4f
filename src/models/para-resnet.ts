/**
 * @file A residual network with n branches of m basic blocks in each of its three stages: Para-Former, arXiv:2407.21670,
 * section on convolutions; the blocks of He et al. (2015), arXiv:1512.03385.
 */
import type { Model } from "../ir/index.ts";
import { type BranchOptions, basicBlock, parallelChains, type RandomSource } from "../nn/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type ResnetOptions, resnetAround } from "./resnet.ts";

export interface ParaResnetOptions extends Omit<ResnetOptions, "depth">, Partial<BranchOptions> {
  /** m, the blocks of a branch in each stage. */
  readonly depth?: number;
}

const paraResnetOptionsNames: OptionNames<ParaResnetOptions> = {
  depth: true,
  channels: true,
  size: true,
  width: true,
  classes: true,
  branches: true,
  combine: true,
};

/**
 * [batch, channels, size, size] → logits [batch, classes]. The block that halves the size stands before the branches. The
 * mean combines them by default, since no norm follows the last ones.
 */
export function paraResnet(source: RandomSource, options: ParaResnetOptions = {}): Model {
  checkOptions(options, paraResnetOptionsNames);
  const { depth = 1, branches = 2, combine = "mean" } = options;
  return resnetAround(source, options, (n, x, { stage, channels }) => {
    const begun = stage === 0 ? x : basicBlock(n.scope("first"), x, channels, 2);
    return parallelChains(n, begun, (block, y) => basicBlock(block, y, channels), { depth, branches, combine });
  });
}

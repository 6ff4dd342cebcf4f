/** @file Folds inference `BatchNormalization` into the linear operator before or after it. */
import { type Pass, rulePass } from "../rewrite/index.ts";
import { batchNormAfterLinear } from "./batchnorm/after.ts";
import { batchNormBeforeConv, batchNormBeforeGemm } from "./batchnorm/before.ts";

/**
 * Rounding: the factors move into the weights, computed in float64. After Conv, ConvTranspose and Gemm; before Gemm, and before Conv
 * where no padding lies between them (a padded zero is not a normalised zero).
 */
export function fuseBatchNorm(): Pass {
  return rulePass("fuse-batchnorm", "rounding", [batchNormAfterLinear, batchNormBeforeConv, batchNormBeforeGemm]);
}

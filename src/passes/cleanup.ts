/** @file The pipeline that every technique starts from. */
import { type Pass, sequential, untilStable } from "../rewrite/index.ts";
import { eliminateCommonSubexpressions } from "./eliminate-common-subexpressions.ts";
import { eliminateDeadNodes } from "./eliminate-dead-nodes.ts";
import { eliminateDropout } from "./eliminate-dropout.ts";
import { eliminateIdentity } from "./eliminate-identity.ts";
import { eliminateNoop } from "./eliminate-noop.ts";
import { explicitWindows } from "./explicit-windows.ts";
import { type FoldOptions, foldConstants } from "./fold-constants.ts";
import { freezeInitializers } from "./freeze-initializers.ts";
import { fuseAffine } from "./fuse-affine.ts";
import { fuseBatchNorm } from "./fuse-batchnorm.ts";
import { fuseMatmulAdd } from "./fuse-matmul-add.ts";
import { fusePad } from "./fuse-pad.ts";
import { inferTypes } from "./infer-shapes.ts";
import { upgradeOpset } from "./upgrade-opset.ts";

/**
 * Opset 21 where possible, constants folded, nothing dead, doubled or idle, BatchNormalization and padding folded in, types on all
 * values. Rounding: the function stays within the rounding of the fused weights. Runs until nothing changes.
 */
export function cleanup(options: FoldOptions): Pass {
  const simplify = sequential("simplify", [
    eliminateIdentity(),
    eliminateDropout(),
    foldConstants(options),
    eliminateNoop(),
    explicitWindows(),
    fusePad(),
    fuseMatmulAdd(),
    fuseBatchNorm(),
    fuseAffine(),
    eliminateCommonSubexpressions(),
    eliminateDeadNodes(),
  ]);
  return sequential("cleanup", [freezeInitializers(), upgradeOpset(), untilStable(simplify), inferTypes()]);
}

/** @file The pipeline that every technique starts from. */
import { checkOptions, type OptionNames } from "../options.ts";
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
import { inlineBranches } from "./inline-branches.ts";
import { settleStraightThrough } from "./settle-straight-through.ts";
import { squeezeScalars } from "./squeeze-scalars.ts";
import { upgradeOpset } from "./upgrade-opset.ts";

export interface CleanupOptions extends FoldOptions {
  /** Put around each of its passes, for those who watch them or leave some out. */
  readonly each?: (pass: Pass) => Pass;
}

const cleanupOptionsNames: OptionNames<CleanupOptions> = { evaluate: true, maxBytes: true, each: true };

/**
 * Opset 21 where possible, constants folded, nothing dead, doubled or idle, BatchNormalization and padding folded in, types on all
 * values. Rounding: the function stays within the rounding of the fused weights. Runs until nothing changes.
 */
export function cleanup(options: CleanupOptions): Pass {
  const { each = (pass: Pass) => pass, ...folding } = checkOptions(options, cleanupOptionsNames);
  const repeated = [
    eliminateIdentity(),
    eliminateDropout(),
    settleStraightThrough(),
    eliminateCommonSubexpressions(),
    foldConstants(folding),
    inlineBranches(),
    eliminateNoop(),
    explicitWindows(),
    fusePad(),
    fuseMatmulAdd(),
    fuseBatchNorm(),
    fuseAffine(),
    eliminateCommonSubexpressions(),
    eliminateDeadNodes(),
  ];
  const simplify = untilStable(sequential("simplify", repeated.map(each)));
  const first = [freezeInitializers(), upgradeOpset(), squeezeScalars()].map(each);
  return sequential("cleanup", [...first, simplify, each(inferTypes())]);
}

/** @file General passes over any model. One pass is one file and one line in `passes`; the laws iterate over it. */
import type { Evaluate, Pass } from "../rewrite/index.ts";
import { cleanup } from "./cleanup.ts";
import { convertFloat16 } from "./convert-float16.ts";
import { convertFloat32 } from "./convert-float32.ts";
import { eliminateCommonSubexpressions } from "./eliminate-common-subexpressions.ts";
import { eliminateDeadNodes } from "./eliminate-dead-nodes.ts";
import { eliminateDropout } from "./eliminate-dropout.ts";
import { eliminateIdentity } from "./eliminate-identity.ts";
import { eliminateNoop } from "./eliminate-noop.ts";
import { explicitWindows } from "./explicit-windows.ts";
import { foldConstants } from "./fold-constants.ts";
import { freezeInitializers } from "./freeze-initializers.ts";
import { fuseAffine } from "./fuse-affine.ts";
import { fuseBatchNorm } from "./fuse-batchnorm.ts";
import { fuseMatmulAdd } from "./fuse-matmul-add.ts";
import { fusePad } from "./fuse-pad.ts";
import { inferTypes } from "./infer-shapes.ts";
import { inlineBranches } from "./inline-branches.ts";
import { lowerPortable } from "./lower-portable.ts";
import { settleStraightThrough } from "./settle-straight-through.ts";
import { squeezeScalars } from "./squeeze-scalars.ts";
import { storeConstants } from "./store-constants.ts";
import { upgradeOpset } from "./upgrade-opset.ts";

/** What a pass of the index may need from outside. */
export interface PassContext {
  readonly evaluate: Evaluate;
}

/** Every pass that keeps a model's signature and needs no further choice, under its printed name. */
export const passes = {
  "upgrade-opset": () => upgradeOpset(),
  "freeze-initializers": () => freezeInitializers(),
  "infer-shapes": () => inferTypes(),
  "squeeze-scalars": () => squeezeScalars(),
  "fold-constants": ({ evaluate }) => foldConstants({ evaluate }),
  "eliminate-identity": () => eliminateIdentity(),
  "eliminate-dropout": () => eliminateDropout(),
  "inline-branches": () => inlineBranches(),
  "eliminate-noop": () => eliminateNoop(),
  "eliminate-common-subexpressions": () => eliminateCommonSubexpressions(),
  "eliminate-dead-nodes": () => eliminateDeadNodes(),
  "settle-straight-through": () => settleStraightThrough(),
  "store-constants": () => storeConstants(),
  "explicit-windows": () => explicitWindows(),
  "fuse-affine": () => fuseAffine(),
  "fuse-batchnorm": () => fuseBatchNorm(),
  "fuse-pad": () => fusePad(),
  "fuse-matmul-add": () => fuseMatmulAdd(),
  "lower-portable": () => lowerPortable(),
  "convert-float16": () => convertFloat16(),
  "convert-float32": () => convertFloat32(),
  cleanup: (context) => cleanup(context),
} satisfies Record<string, (context: PassContext) => Pass>;

export type PassName = keyof typeof passes;

export { type CleanupOptions, cleanup } from "./cleanup.ts";
export { convertFloat16, type Float16Options, float16Form } from "./convert-float16.ts";
export { convertFloat32 } from "./convert-float32.ts";
export { type DynamicBatchOptions, dynamicBatch } from "./dynamic-batch.ts";
export { eliminateCommonSubexpressions, type Mergeable } from "./eliminate-common-subexpressions.ts";
export { eliminateDeadNodes } from "./eliminate-dead-nodes.ts";
export { eliminateIdentity } from "./eliminate-identity.ts";
export { explicitWindows } from "./explicit-windows.ts";
export { fixDims } from "./fix-dims.ts";
export { float32Operators } from "./float16/operators.ts";
export { type FoldOptions, foldConstants } from "./fold-constants.ts";
export { freezeInitializers } from "./freeze-initializers.ts";
export { inferTypes } from "./infer-shapes.ts";
export { lowerPortable } from "./lower-portable.ts";
export { settleStraightThrough } from "./settle-straight-through.ts";
export { changedSince } from "./upgrade/stages.ts";
export { upgradeOpset } from "./upgrade-opset.ts";

/** @file Writes operators that the WebGPU provider lacks in operators that every provider has. */
import { rulePass, type SyncPass, typesIn } from "../rewrite/index.ts";
import { elementwiseRules } from "./portable/elementwise.ts";
import { logicRules } from "./portable/logic.ts";
import { normalizeRules } from "./portable/normalize.ts";

/**
 * Rounding. ONNX Runtime's WebGPU provider leaves an operator that it lacks to the CPU, with a copy there and back, or fails
 * when it runs (BatchNormalization in training mode). After this pass LogSoftmax, BatchNormalization in training mode, Sum,
 * Mean, Sign, Selu, Softsign, Or and Xor stay on the device. Where the CPU computes, the operators themselves are faster.
 */
export function lowerPortable(): SyncPass {
  return rulePass("lower-portable", "rounding", [...elementwiseRules, ...logicRules, ...normalizeRules], {
    types: typesIn,
  });
}

export * from "./attribute.ts";
export { boundedSize } from "./bounded-size.ts";
export * from "./builder.ts";
export * from "./compare.ts";
export * from "./edit.ts";
export { maxOf, minOf } from "./extent.ts";
export { type FloatFormat, floatFormats, halfBits } from "./float-formats.ts";
export { forgetTypes } from "./forget-types.ts";
export { type FormulaContext, type Formulas, formulas, type Like, type Operand } from "./formulas.ts";
export * from "./graph.ts";
export { exactBigint, exactNumber, nearestNumber, truncatedBigint } from "./int64.ts";
export * from "./labels.ts";
export { isConstantNode, modelOfNodes } from "./model-of-nodes.ts";
export * from "./names.ts";
export {
  checkPatterns,
  labelOf,
  type NodePattern,
  namesOfNode,
  nodeMatcher,
} from "./node-patterns.ts";
export * from "./operator.ts";
export { type Renamed, renamedGraph } from "./renamed.ts";
export { denseInitializers, smallerSparse, sparseInitializers, sparseTensorsOf } from "./sparse-initializers.ts";
export * from "./sparse-tensor.ts";
export { storedConstants, storedWeights } from "./stored-constants.ts";
export { takePositions } from "./take-positions.ts";
export * from "./tensor.ts";
export * from "./tensor-index.ts";
export * from "./text.ts";
export * from "./traverse.ts";
export * from "./types.ts";
export { uniquely } from "./unique-names.ts";
export * from "./verify.ts";
export * from "./walks.ts";
export * from "./wildcard.ts";

/** @file Facts about operators, type inference and costs. */

export { type AxisClasses, type AxisClassOptions, axisClasses } from "./axis-classes.ts";
export { type CostByNode, type CostOptions, costOf, type ModelCost } from "./costs.ts";
export { type CountedWork, countWork } from "./counted-work.ts";
export { namedProduct } from "./dims.ts";
export type { FactorPreference } from "./factor-choice.ts";
export { type Callable, callableOf, type FunctionTable, functionTable } from "./functions.ts";
export { activationAttributes, fusedActivations, isFusedActivation } from "./fused-activation.ts";
export type { Inference, InferenceProblem, InferOptions } from "./infer.ts";
export { axesOf, builderInference, inferModel, inferShapes } from "./model.ts";
export { type Signature, signatureOf, type TypeParameter, typeProblem } from "./operator-types.ts";
export { checkRequired } from "./required.ts";
export { type Cut, type Restated, restated, withRestated } from "./restate.ts";
export { agreeInDims, requireSameOutputs, type SameOutputs } from "./same-outputs.ts";
export type { AxisEnd, AxisLink, Cost, Exactness, NodeFacts, OpSpec, TypedNode } from "./spec.ts";
export { specOf } from "./spec-of.ts";
export { type OpType, opTable } from "./table.ts";
export { type Work, type WorkRange, workOf } from "./work.ts";

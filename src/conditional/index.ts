/** @file Conditional computation: networks of which each input uses a part. Gates, experts and dispatches compose into layers. */

export * from "./dynamic/depth/index.ts";
export * from "./dynamic/regions/index.ts";
export * from "./dynamic/resolution/index.ts";
export * from "./dynamic/time/index.ts";
export * from "./dynamic/width/index.ts";
export { type CascadeOptions, cascade, cascadeExits, denseCascade } from "./exit/cascade.ts";
export * from "./exit/index.ts";
export { withParametersOf } from "./lowering/with-parameters-of.ts";
export * from "./moe/dispatch/index.ts";
export { type DispatchForm, dispatchForms } from "./moe/dispatch-forms.ts";
export { type Expert, type MlpExpertOptions, mlpExpert } from "./moe/expert.ts";
export { type DecisionTree, fitTree, type TreeOptions } from "./moe/fit-tree.ts";
export type { AuxiliaryLoss, Gate, Gated, GateInputs, Moved } from "./moe/gate.ts";
export * from "./moe/gates/index.ts";
export * from "./moe/measures/index.ts";
export { type MoeGptOptions, moeGpt } from "./moe/moe-gpt.ts";
export { type MoeOptions, moeLayer, type SwitchLayerOptions } from "./moe/moe-layer.ts";
export * from "./moe/route/index.ts";
export type { DenseRouting, ExpertChoice, Routing, SlotRouting, TokenChoice } from "./moe/routing.ts";
export { everyExpert, type Selection, threshold, topK } from "./moe/selections.ts";
export { mainOutputs, moeMeasures, moeTraining, withoutSideOutputs } from "./moe/side-outputs.ts";
export * from "./tokens/index.ts";

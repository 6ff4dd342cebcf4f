/** @file Conditional computation: networks of which each input uses a part. Gates, experts and dispatches compose into layers. */
export * from "./depth/index.ts";
export * from "./dispatch/index.ts";
export * from "./exit/index.ts";
export { type Expert, type MlpExpertOptions, mlpExpert } from "./expert.ts";
export { type DecisionTree, fitTree, type TreeOptions } from "./fit-tree.ts";
export type { AuxiliaryLoss, Gate, Gated, GateInputs, Moved } from "./gate.ts";
export * from "./gates/index.ts";
export * from "./measures/index.ts";
export { type MoeGptOptions, moeGpt } from "./moe-gpt.ts";
export { type MoeOptions, moeLayer, type SwitchLayerOptions, switchLayer } from "./moe-layer.ts";
export * from "./route/index.ts";
export type { DenseRouting, ExpertChoice, Routing, SlotRouting, TokenChoice } from "./routing.ts";
export { everyExpert, type Selection, threshold, topK } from "./selections.ts";
export { mainOutputs, moeMeasures, moeTraining, withoutSideOutputs } from "./side-outputs.ts";
export * from "./tokens/index.ts";
export * from "./width/index.ts";

/** @file Gradients of graphs by graphs: reverse mode, the rule of every operator, rematerialisation, training operators. */
export type { ConvChoice, InputForm, WeightForm } from "./conv/choice.ts";
export { convForms } from "./conv/choose.ts";
export type { ConvGeometry } from "./conv/geometry.ts";
export { defaultForms, portableForms } from "./default-forms.ts";
export type { Forms } from "./forms.ts";
export { type Differentiated, type DifferentiateOptions, differentiateGraph } from "./gradient.ts";
export { lowerTraining } from "./lower-training.ts";
export { type MemoryEstimate, type MemoryOptions, memoryEstimate } from "./memory-estimate.ts";
export { type GradientOptions, gradient } from "./model-gradient.ts";
export type { MaxPoolFormName, PoolChoice } from "./pool/choice.ts";
export { type Checkpoints, everyBoundary, rematerialise, withinBytes } from "./rematerialise.ts";
export type { Cotangents, Expansion, FindEntry, GradientEntry, GradientRule } from "./rule.ts";
export { entryOf, gradientTable } from "./rules/index.ts";

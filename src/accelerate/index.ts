/** @file The automatic pipeline over the techniques. */
export { accelerate } from "./accelerate.ts";
export type { Chain, Changes, Step } from "./chain.ts";
export { type Goal, goals } from "./choose.ts";
export { cleanTechnique } from "./clean-technique.ts";
export { evaluateWith } from "./evaluate.ts";
export type { AccelerateEvent } from "./events.ts";
export {
  type CandidateForm,
  chooseForm,
  type FormChoice,
  type FormOptions,
  type FormRow,
} from "./forms/choose-form.ts";
export type { AccelerateOptions, CandidateStore, FinishedForm } from "./options.ts";
export {
  choosePlacement,
  openPlaced,
  type Placement,
  type PlacementChoice,
  type PlacementOptions,
  type PlacementRow,
} from "./placement/choose-placement.ts";
export { type CostOptions, measureCosts } from "./placement/costs.ts";
export { measureLink } from "./placement/link.ts";
export { agreementElsewhere, agreesElsewhere, type ProviderOptions, providerTolerance } from "./providers.ts";
export type * from "./result.ts";
export {
  type Checked,
  type CheckOptions,
  cleanupChecked,
  type LeftOut,
  type Pipeline,
  runChecked,
} from "./run-checked.ts";
export type { Batches } from "./samples.ts";

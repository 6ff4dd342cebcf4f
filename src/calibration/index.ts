/** @file What data says of layers: their inputs captured, the moments of these, and weights changed so that outputs stay near. */
export {
  type Batches,
  bytesIn,
  type CaptureOptions,
  capture,
  captureOptionsNames,
  chunksOf,
  noBatches,
  openProbe,
  type Probe,
} from "./capture.ts";
export { damped, idealErrors, permuted, permutedRow, spreadErrors, withoutConstant } from "./error-feedback.ts";
export { type GramProduct, openGram } from "./gram.ts";
export { gatherInputs, type InputFacts, type InputGatherer } from "./input-facts.ts";
export {
  canHaveBias,
  isDepthwise,
  isLayer,
  isLstm,
  isRecurrent,
  isStacked,
  isWeighted,
  type Layer,
  layerAmong,
  layerOf,
  type NotALayer,
  ROWS,
  rowsOf,
  weightedOperators,
} from "./layer.ts";
export { quadraticForm, solveRow, upperFactor } from "./linear-algebra.ts";
export { gatherMoments, joinedMoments, type MomentGatherer, type Moments } from "./moments.ts";
export { type Patches, patchesOf } from "./patches.ts";
export { type Reconstruction, reconstructed, type SparseProblem } from "./reconstruct.ts";
export { overriddenIn, weightsIn } from "./weights.ts";

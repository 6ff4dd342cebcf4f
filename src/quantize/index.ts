/** @file Quantization, after training and in it. */

export { type Batches, type CaptureOptions, capture } from "../calibration/index.ts";
export { type CalibrateOptions, type Calibration, calibrate, type Ranges } from "./calibration/calibrate.ts";
export {
  entropy,
  meanSquaredError,
  type Observer,
  type ObserverFactory,
  type ObserverName,
  type ObserverOptions,
  observers,
  percentile,
} from "./calibration/observers/index.ts";
export { type ModelAdvice, modelAdvice, type StoredForm } from "./forms/form-advice.ts";
export {
  type Advice,
  advice,
  type FormEntry,
  type FormTable,
  type ProbeForm,
  type ProbeOptions,
  probeForms,
} from "./forms/form-table.ts";
export type { ProbeProduct } from "./forms/probe-models.ts";
export { type FastestOptions, type FastestPlacement, fastestPlacement } from "./placement/fastest-placement.ts";
export {
  type LayerSensitivity,
  type SensitivityOptions,
  sensitivity,
  type Task,
} from "./placement/sensitivity.ts";
export { type FakeQuantized, type FakeQuantizeOptions, fakeQuantize } from "./qat/fake-quantize.ts";
export { type QuantizationAwareOptions, quantizationAware } from "./qat/quantization-aware.ts";
export { quantize } from "./quantize.ts";
export { type DynamicOptions, quantizeDynamic } from "./quantizers/dynamic.ts";
export { type Float16FormOptions, quantizeFloat16 } from "./quantizers/float16.ts";
export { type FormOptions, type QuantizeOptions, quantizers } from "./quantizers/index.ts";
export { type LevelsOptions, quantizeLevels } from "./quantizers/levels.ts";
export { quantizeStatic } from "./quantizers/static.ts";
export type { LayerSettings, StaticBits, StaticOptions } from "./quantizers/static-options.ts";
export { quantizeWeights, type WeightOnlyOptions } from "./quantizers/weight-only.ts";
export {
  type LearnedRange,
  type LearningRange,
  lsqRange,
  type MinMaxRangeOptions,
  minMaxRange,
  type PactRangeOptions,
  pactRange,
  type RangeName,
  type RangeParameter,
  type RangeSite,
  type RangeStatistic,
  ranges,
} from "./ranges/index.ts";
export * from "./report.ts";
export {
  type BlockRoundingName,
  blockRoundings,
  type FreeBlocks,
  looksAtInputs,
  nearest,
  type Rounding,
  type RoundingName,
  type RoundingProblem,
  type RoundingResult,
  roundings,
} from "./rounding/index.ts";
export {
  bitsOf,
  dequantize,
  type Granularity,
  type Grouping,
  type Limits,
  limitsOf,
  type Parameters,
  type QuantizedTensor,
  type QuantizedType,
  type Range,
  type Scheme,
} from "./scheme.ts";
export { quantizeTechnique } from "./technique.ts";
export {
  type AwqOptions,
  awq,
  type ObserveOptions,
  type OutlierOptions,
  outlierNodes,
  type RotateOptions,
  rotateResidual,
  type SmoothQuantOptions,
  separateOutliers,
  smoothQuant,
  type Transformed,
  type TransformName,
  type TransformNote,
  type TransformOptions,
  transforms,
} from "./transforms/index.ts";
export { alignChannels } from "./weights/align-channels.ts";
export { type EqualizeOptions, equalize } from "./weights/equalize.ts";
export type {
  BlockedMatrix,
  BlockLayout,
  WeightBits,
} from "./weights/weight-blocks.ts";

/** @file Post-training quantization. */
export { alignChannels } from "./align-channels.ts";
export { type CalibrateOptions, type Calibration, calibrate, type Ranges } from "./calibrate.ts";
export { type Batches, type CaptureOptions, capture } from "./capture.ts";
export { type EqualizeOptions, equalize } from "./equalize.ts";
export { type FastestOptions, type FastestPlacement, fastestPlacement } from "./fastest-placement.ts";
export { type ModelAdvice, modelAdvice } from "./form-advice.ts";
export {
  type Advice,
  advice,
  type FormEntry,
  type FormTable,
  type ProbeForm,
  type ProbeOptions,
  probeForms,
} from "./form-table.ts";
export * from "./observers/index.ts";
export { type ProbeProduct, probeProducts } from "./probe-models.ts";
export { quantize } from "./quantize.ts";
export { type DynamicOptions, quantizeDynamic } from "./quantizers/dynamic.ts";
export { type Float16FormOptions, quantizeFloat16 } from "./quantizers/float16.ts";
export { type FormOptions, type QuantizeOptions, quantizers } from "./quantizers/index.ts";
export { quantizeStatic } from "./quantizers/static.ts";
export type { LayerSettings, StaticOptions } from "./quantizers/static-options.ts";
export { quantizeWeights, type WeightOnlyOptions } from "./quantizers/weight-only.ts";
export * from "./report.ts";
export * from "./rounding/index.ts";
export * from "./scheme.ts";
export { divergenceOf, type LayerSensitivity, type SensitivityOptions, sensitivity, type Task } from "./sensitivity.ts";
export {
  type BlockedMatrix,
  type BlockLayout,
  blockParameters,
  packForMatMulNBits,
  type WeightBits,
} from "./weight-blocks.ts";

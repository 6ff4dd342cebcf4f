/** @file Post-training quantization. */
export { alignChannels } from "./align-channels.ts";
export { type CalibrateOptions, calibrate, type Ranges } from "./calibrate.ts";
export type { Batches, CaptureOptions } from "./capture.ts";
export { type EqualizeOptions, equalize } from "./equalize.ts";
export { type ObserverName, observers } from "./observers/index.ts";
export { quantizeStatic, type StaticOptions } from "./quantizers/static.ts";
export * from "./report.ts";
export * from "./rounding/index.ts";
export * from "./scheme.ts";

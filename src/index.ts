/** @file The library at a glance: load, look, clean, quantize, compare, accelerate, save. Each folder exports more under its own path. */
export { type AccelerateOptions, accelerate } from "./accelerate/index.ts";
export { gradient } from "./autodiff/index.ts";
export { batches, type Dataset, openData, presets, split } from "./data/index.ts";
export * from "./errors.ts";
export type { Graph, Model, Node, Tensor, Value } from "./ir/index.ts";
export { graphBuilder, model, tensor, tensorFromNumbers, verify } from "./ir/index.ts";
export { benchmark, compareSessions } from "./measure/index.ts";
export { decodeModel, encodeModel } from "./onnx/index.ts";
export { costOf, inferModel, inferShapes } from "./ops/index.ts";
export { cleanup, passes } from "./passes/index.ts";
export { quantize } from "./quantize/index.ts";
export { openSession, type Session } from "./runtime/index.ts";
export { fit, trainingStep } from "./train/index.ts";

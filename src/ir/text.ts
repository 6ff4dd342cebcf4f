/** @file The text form of models: ONNX's own text syntax, for golden tests, differences and reading. */
export { digestOf } from "./text/digest.ts";
export { type ParseOptions, parseModel } from "./text/parse.ts";
export { type PrintOptions, printModel } from "./text/print.ts";

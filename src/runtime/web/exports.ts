/** @file What both entries for browsers export beside `openSession`. */
export * from "../../errors.ts";
export {
  floatsOf,
  int64s,
  type Model,
  numbersOf,
  scalar,
  strings,
  stringsOf,
  type Tensor,
  tensor,
  tensorFromNumbers,
  typedArray,
} from "../../ir/index.ts";
export { decodeModel, encodeModel } from "../../onnx/index.ts";
export {
  type ArrayFeed,
  type ArrayFeeds,
  type ArrayTensor,
  arrayTensor,
  type Elements,
  feedsOf,
  runArrays,
} from "../arrays.ts";
export * from "../session.ts";
export type { Adapter } from "./adapter.ts";
export { type Capabilities, detectCapabilities } from "./capabilities.ts";
export type { PassedOver, WebSession } from "./open-by.ts";
export type { WebProvider, WebSessionOptions } from "./options.ts";
export type { DownloadProgress, ModelSource, ReadOptions } from "./source.ts";

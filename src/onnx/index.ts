export { type DecodeOptions, decodeModel } from "./decode.ts";
export { encodedSize, encodeModel } from "./encode.ts";
export { loadModelBytes } from "./external.ts";
export type { Limits } from "./limits.ts";
export { type ChangeTensor, mapTensors, type TensorRole } from "./map-tensors.ts";

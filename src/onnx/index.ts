export { type DecodeOptions, decodeModel } from "./decode.ts";
export { encodeModel } from "./encode.ts";
export { defaultLimits, type Limits } from "./limits.ts";

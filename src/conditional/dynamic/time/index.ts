/** @file Sequences of which only a part is computed: frames that gates skip, slices after which a loop stops. */
export { exportFrames, framesOf } from "./export-frames.ts";
export { exportSlices } from "./export-slices.ts";
export { readSlices, type SliceReader } from "./read-slices.ts";
export { type FrameOptions, frameTerm, skipFrames } from "./skip-frames.ts";

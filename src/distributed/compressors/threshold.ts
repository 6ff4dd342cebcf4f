/** @file The values whose magnitude is above a threshold: Strom, "Scalable distributed DNN training" (Interspeech 2015), with the values themselves. */
import { UsageError } from "../../errors.ts";
import { checkOptions } from "../../options.ts";
import { decodeSparse, encodeSparse } from "../encoding/sparse.ts";
import { sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";
import { placesWhere } from "./select.ts";

export interface ThresholdOptions {
  /** Of a magnitude, in the units of the gradient. Default 0.01. */
  readonly threshold?: number;
}

/** 48 bits for each value that is sent. Biased: it wants a memory. */
export function threshold(options: ThresholdOptions = {}): ByteCompressor {
  const { threshold: least = 0.01 } = checkOptions(options, { threshold: true });
  if (!(least >= 0 && Number.isFinite(least))) {
    throw new UsageError("threshold is a magnitude", { expected: "a number of at least 0", got: String(least) });
  }
  return {
    kind: "bytes",
    name: "threshold",
    isUnbiased: false,
    compress: (values) =>
      encodeSparse(
        values,
        placesWhere(values, (value) => Math.abs(value) > least),
      ),
    decompress: (bytes, place) => decodeSparse(bytes, sizeOf(place)),
  };
}

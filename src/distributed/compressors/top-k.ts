/** @file The values of the greatest magnitude: Aji and Heafield, "Sparse communication for distributed gradient descent" (2017), arXiv:1704.05021. */
import { checkOptions } from "../../options.ts";
import { decodeSparse, encodeSparse } from "../encoding/sparse.ts";
import { sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";
import { checkDensity, countOf } from "./density.ts";
import { greatestPlaces } from "./select.ts";

export interface TopKOptions {
  /** The share that is sent, rounded up. Default 0.01. */
  readonly density?: number;
}

/** 48 bits for each value that is sent. Biased: it wants a memory. */
export function topK(options: TopKOptions = {}): ByteCompressor {
  const { density = 0.01 } = checkOptions(options, { density: true });
  checkDensity(density);
  return {
    kind: "bytes",
    name: "top-k",
    isUnbiased: false,
    compress: (values) => encodeSparse(values, greatestPlaces(values.map(Math.abs), countOf(density, values.length))),
    decompress: (bytes, place) => decodeSparse(bytes, sizeOf(place)),
  };
}

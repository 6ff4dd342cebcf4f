/** @file Signs times the mean magnitude: Karimireddy et al., "Error feedback fixes SignSGD" (2019), arXiv:1901.09847. */
import { packCodes, packedBytes, unpackCodes } from "../encoding/bits.ts";
import { checkBytes } from "../encoding/refused.ts";
import { sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";
import { SCALE_BYTES, scaleOf, withScale } from "./scaled.ts";

/** 1 bit a value and 32 for a tensor: C(x) = sign(x)·mean |x|, where sign(0) is 1. Biased: error feedback is the memory's matter. */
export function sign(): ByteCompressor {
  return {
    kind: "bytes",
    name: "sign",
    isUnbiased: false,
    compress(values) {
      const sum = values.reduce((total, value) => total + Math.abs(value), 0);
      return encodeSigns(values, sum / Math.max(1, values.length));
    },
    decompress: (bytes, place) => decodeSigns(bytes, sizeOf(place)),
  };
}

const packing = (count: number) => ({ offset: SCALE_BYTES, count, bits: 1 });

/** The scale as float32, then a bit for each value, 1 where it is negative. */
export function encodeSigns(values: Float32Array, scale: number): Uint8Array<ArrayBuffer> {
  const bytes = withScale(scale, packedBytes(values.length, 1));
  packCodes(bytes, packing(values.length), (i) => ((values[i] ?? 0) < 0 ? 1 : 0));
  return bytes;
}

/** @throws FormatError for another length, or a scale that is none */
export function decodeSigns(bytes: Uint8Array, length: number): Float32Array {
  checkBytes(bytes, SCALE_BYTES + packedBytes(length, 1));
  const scale = scaleOf(bytes);
  const values = new Float32Array(length);
  unpackCodes(bytes, packing(length), (code, i) => {
    values[i] = code === 1 ? -scale : scale;
  });
  return values;
}

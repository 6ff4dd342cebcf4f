/**
 * @file Levels that are right on average: Alistarh et al., "QSGD" (2017), arXiv:1610.02132.
 *
 * Of a bucket with the norm ‖x‖₂ a value becomes ‖x‖₂·sign(x)·l/s, where l is one of the two whole numbers beside s·|x|/‖x‖₂, drawn so that it is
 * expected. Levels have a fixed number of bits here, where the paper has Elias's codes as well.
 */
import { random } from "../../data/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { packCodes, packedBytes, unpackCodes } from "../encoding/bits.ts";
import { checkBytes, checkedScale, refused, viewOf } from "../encoding/refused.ts";
import { sizeOf } from "../exchange/place.ts";
import { type Chance, chanceOf } from "./chance.ts";
import type { ByteCompressor } from "./compressor.ts";
import { LARGEST } from "./scaled.ts";

export interface QsgdOptions {
  /** Of a value, one of them its sign: s = 2^(bits−1) − 1. From 2 to 16, default 4. */
  readonly bits?: number;
  /** Values that share a norm. Default 512. */
  readonly bucket?: number;
  /** Of the draws, together with the update, the tensor and the rank. Default 0. */
  readonly seed?: number;
}

const qsgdOptionsNames: OptionNames<QsgdOptions> = { bits: true, bucket: true, seed: true };
const NORM_BYTES = 4;

/** `bits` a value and 32 for a bucket. Unbiased: it needs no memory. */
export function qsgd(options: QsgdOptions = {}): ByteCompressor {
  const { bits = 4, bucket = 512, seed = 0 } = checkOptions(options, qsgdOptionsNames);
  checkCount("bits", bits, { least: 2, most: 16 });
  checkCount("bucket", bucket);
  random(seed);
  const s = 2 ** (bits - 1) - 1;
  const headOf = (length: number): number => NORM_BYTES * Math.ceil(length / bucket);
  return {
    kind: "bytes",
    name: "qsgd",
    isUnbiased: true,
    compress(values, place) {
      const { norms, levels } = qsgdLevels(values, { s, bucket }, chanceOf(seed, place));
      const offset = headOf(values.length);
      const bytes = new Uint8Array(offset + packedBytes(values.length, bits));
      const view = viewOf(bytes);
      norms.forEach((norm, i) => {
        view.setFloat32(NORM_BYTES * i, norm, true);
      });
      packCodes(bytes, { offset, count: values.length, bits }, (i) => {
        const level = levels[i] ?? 0;
        return level < 0 ? s + 1 - level : level;
      });
      return bytes;
    },
    decompress(bytes, place) {
      const values = new Float32Array(sizeOf(place));
      const offset = headOf(values.length);
      checkBytes(bytes, offset + packedBytes(values.length, bits));
      const view = viewOf(bytes);
      unpackCodes(bytes, { offset, count: values.length, bits }, (code, i) => {
        if (code === s + 1) throw refused("has a level that is none", `not ${s + 1}`, code);
        const level = code > s ? s + 1 - code : code;
        values[i] = (level * checkedScale(view.getFloat32(NORM_BYTES * Math.floor(i / bucket), true))) / s;
      });
      return values;
    },
  };
}

export interface QsgdLevels {
  /** Of each bucket, float32. */
  readonly norms: readonly number[];
  /** From −s to s. */
  readonly levels: Int32Array;
}

/** Takes one random number for each value. */
export function qsgdLevels(
  values: Float32Array,
  { s, bucket }: { readonly s: number; readonly bucket: number },
  chance: Chance,
): QsgdLevels {
  const norms = Array.from({ length: Math.ceil(values.length / bucket) }, (_, i) => {
    const own = values.subarray(i * bucket, (i + 1) * bucket);
    const norm = Math.sqrt(own.reduce((sum, value) => sum + value * value, 0));
    return Math.fround(Math.min(norm, LARGEST));
  });
  const levels = new Int32Array(values.length).map((_, i) => {
    const value = values[i] ?? 0;
    const norm = norms[Math.floor(i / bucket)] ?? 0;
    const draw = chance();
    if (norm === 0) return 0;
    const level = Math.min(s, Math.floor((Math.abs(value) / norm) * s + draw));
    return value < 0 ? -level : level;
  });
  return { norms, levels };
}

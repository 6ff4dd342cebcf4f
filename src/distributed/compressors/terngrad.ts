/**
 * @file Three values: Wen et al., "TernGrad" (2017), arXiv:1705.07878.
 *
 * x becomes s·sign(x)·b with s = max |x|, where b is 1 with the probability |x|/s, else 0.
 */
import { random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { packCodes, packedBytes, unpackCodes } from "../encoding/bits.ts";
import { checkBytes, refused } from "../encoding/refused.ts";
import { sizeOf } from "../exchange/place.ts";
import { type Chance, chanceOf } from "./chance.ts";
import type { ByteCompressor } from "./compressor.ts";
import { greatest, SCALE_BYTES, scaleOf, withScale } from "./scaled.ts";

export interface TernGradOptions {
  /** Magnitudes are cut off at so many standard deviations of the tensor first, which is a bias; the paper has 2.5. Not at all when absent. */
  readonly clip?: number;
  /** Of the draws, together with the update, the tensor and the rank. Default 0. */
  readonly seed?: number;
}

const ternGradOptionsNames: OptionNames<TernGradOptions> = { clip: true, seed: true };
const BITS = 2;
const NEGATIVE = 2;

/** 2 bits a value and 32 for a tensor. Unbiased where nothing is cut off: it needs no memory. */
export function ternGrad(options: TernGradOptions = {}): ByteCompressor {
  const { clip, seed = 0 } = checkOptions(options, ternGradOptionsNames);
  if (clip !== undefined && !(clip > 0)) {
    throw new UsageError("clip is a number of standard deviations", { expected: "above 0", got: String(clip) });
  }
  random(seed);
  const packing = (count: number) => ({ offset: SCALE_BYTES, count, bits: BITS });
  return {
    kind: "bytes",
    name: "terngrad",
    isUnbiased: clip === undefined,
    compress(values, place) {
      const { scale, signs } = ternary(clip === undefined ? values : cutOff(values, clip), chanceOf(seed, place));
      const bytes = withScale(scale, packedBytes(values.length, BITS));
      packCodes(bytes, packing(values.length), (i) => (signs[i] === -1 ? NEGATIVE : (signs[i] ?? 0)));
      return bytes;
    },
    decompress(bytes, place) {
      const values = new Float32Array(sizeOf(place));
      checkBytes(bytes, SCALE_BYTES + packedBytes(values.length, BITS));
      const scale = scaleOf(bytes);
      unpackCodes(bytes, packing(values.length), (code, i) => {
        if (code > NEGATIVE) throw refused("has a sign that is none", "0, 1 or 2", code);
        values[i] = code === NEGATIVE ? -scale : code * scale;
      });
      return values;
    },
  };
}

/** Takes one random number for each value. */
export function ternary(values: Float32Array, chance: Chance): { readonly scale: number; readonly signs: Int8Array } {
  const scale = greatest(values);
  const signs = new Int8Array(values.length).map((_, i) => {
    const value = values[i] ?? 0;
    return chance() * scale < Math.abs(value) ? Math.sign(value) : 0;
  });
  return { scale, signs };
}

function cutOff(values: Float32Array, clip: number): Float32Array {
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
  const most = clip * Math.sqrt(square);
  return values.map((value) => Math.max(-most, Math.min(most, value)));
}

/** @file Whole numbers from −127 to 127 with one scale for a tensor, max |x| / 127; rounded to nearest. */

import { checkBytes, refused, viewOf } from "../encoding/refused.ts";
import { sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";
import { greatest, LARGEST, SCALE_BYTES, scaleOf, withScale } from "./scaled.ts";

const LEVELS = 127;

/** 8 bits a value and 32 for a tensor. An error is at most half a scale. `qsgd` is the one that rounds by chance. */
export function int8(): ByteCompressor {
  return {
    kind: "bytes",
    name: "int8",
    isUnbiased: false,
    compress(values) {
      const scale = Math.fround(greatest(values) / LEVELS);
      const bytes = withScale(scale, values.length);
      const view = viewOf(bytes);
      values.forEach((value, i) => {
        const level = scale > 0 ? Math.round(value / scale) : 0;
        view.setInt8(SCALE_BYTES + i, Math.max(-LEVELS, Math.min(LEVELS, level)));
      });
      return bytes;
    },
    decompress(bytes, place) {
      const length = sizeOf(place);
      checkBytes(bytes, SCALE_BYTES + length);
      const scale = scaleOf(bytes);
      const view = viewOf(bytes);
      return new Float32Array(length).map((_, i) => {
        const level = view.getInt8(SCALE_BYTES + i);
        if (level < -LEVELS) throw refused("has a level that is none", `-${LEVELS} to ${LEVELS}`, level);
        return Math.max(-LARGEST, Math.min(LARGEST, level * scale));
      });
    },
  };
}

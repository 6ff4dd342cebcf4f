/** @file No compression: float32. */
import { copied } from "../communicator/copied.ts";
import { checkBytes, checkedValue, viewOf } from "../encoding/refused.ts";
import { sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";

/** 32 bits a value. */
export function noCompression(): ByteCompressor {
  return {
    kind: "bytes",
    name: "none",
    isUnbiased: true,
    compress: copied,
    decompress(bytes, place) {
      const length = sizeOf(place);
      checkBytes(bytes, length * Float32Array.BYTES_PER_ELEMENT);
      const view = viewOf(bytes);
      return new Float32Array(length).map((_, i) => checkedValue(view.getFloat32(4 * i, true)));
    },
  };
}

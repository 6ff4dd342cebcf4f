/** @file Half precision: rounded to nearest, ties to even; what is too large becomes the largest. */
import { certain } from "../../checked.ts";
import { floatFormats, halfBits } from "../../ir/index.ts";
import { copied } from "../communicator/copied.ts";
import { checkBytes, checkedValue, viewOf } from "../encoding/refused.ts";
import { sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";

/** 16 bits a value. Values that are not 0 do not become 0. */
export function float16(): ByteCompressor {
  const { decode } = certain(floatFormats.float16);
  return {
    kind: "bytes",
    name: "float16",
    isUnbiased: false,
    compress(values) {
      const { buffer, byteLength } = halfBits(values, true);
      return copied(new Uint8Array(buffer, 0, byteLength));
    },
    decompress(bytes, place) {
      const length = sizeOf(place);
      checkBytes(bytes, length * Uint16Array.BYTES_PER_ELEMENT);
      const view = viewOf(bytes);
      return new Float32Array(length).map((_, i) => checkedValue(decode(view.getUint16(2 * i, true))));
    },
  };
}

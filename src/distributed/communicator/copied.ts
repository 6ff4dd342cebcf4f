/** @file Payloads as bytes of their own. */
import type { Payload } from "./communicator.ts";

/** A copy of the bytes under a view. */
export function copied({ buffer, byteOffset, byteLength }: Payload): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(byteLength);
  copy.set(new Uint8Array(buffer, byteOffset, byteLength));
  return copy;
}

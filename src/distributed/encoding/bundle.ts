/** @file Messages of several tensors in one. */
import { nth } from "../../checked.ts";
import { refused, viewOf } from "./refused.ts";

const LENGTH_BYTES = 4;

/** The lengths, 32 bits each, then the messages. */
export function bundle(messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const head = LENGTH_BYTES * messages.length;
  const bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length, head));
  const view = viewOf(bytes);
  let at = head;
  messages.forEach((message, i) => {
    view.setUint32(i * LENGTH_BYTES, message.length, true);
    bytes.set(message, at);
    at += message.length;
  });
  return bytes;
}

/**
 * The messages, as views.
 *
 * @throws FormatError where the lengths do not make up the bytes
 */
export function unbundle(bytes: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer>[] {
  const head = LENGTH_BYTES * count;
  if (bytes.length < head) throw refused("ends early", `at least ${head} bytes`, bytes.length);
  const view = viewOf(bytes);
  const lengths = Array.from({ length: count }, (_, i) => view.getUint32(i * LENGTH_BYTES, true));
  const total = lengths.reduce((sum, length) => sum + length, head);
  if (total !== bytes.length) throw refused("has lengths that do not make it up", `${bytes.length} bytes`, total);
  let at = head;
  return lengths.map((_, i) => {
    const start = at;
    at += nth(lengths, i);
    return bytes.subarray(start, at);
  });
}

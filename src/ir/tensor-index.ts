/** @file Finding tensors by their content. */
import { bytesOfTensor, type Tensor } from "./tensor.ts";

/** Items under tensors: those with the same dtype, dims and bytes are one key. */
export interface TensorIndex<T> {
  get(tensor: Tensor): T | undefined;
  set(tensor: Tensor, item: T): void;
}

/** An empty index. Strings and data that was not loaded are no keys: nothing is found under them, and what is set is dropped. */
export function tensorIndex<T>(): TensorIndex<T> {
  const buckets = new Map<string, { readonly bytes: Uint8Array; item: T }[]>();
  const bucketOf = ({ dtype, dims }: Tensor, bytes: Uint8Array) => {
    const key = `${dtype} ${dims.join()} ${hash(bytes)}`;
    const bucket = buckets.get(key) ?? [];
    buckets.set(key, bucket);
    return bucket;
  };
  return {
    get(tensor) {
      if (!hasBytes(tensor)) return undefined;
      const bytes = bytesOfTensor(tensor);
      return bucketOf(tensor, bytes).find((entry) => equalBytes(entry.bytes, bytes))?.item;
    },
    set(tensor, item) {
      if (!hasBytes(tensor)) return;
      const bytes = bytesOfTensor(tensor);
      const bucket = bucketOf(tensor, bytes);
      const known = bucket.find((entry) => equalBytes(entry.bytes, bytes));
      if (known) known.item = item;
      else bucket.push({ bytes, item });
    },
  };
}

function hasBytes({ data }: Tensor): boolean {
  return data instanceof Uint8Array;
}

const PRIME = 0x01000193;

/** FNV-1a over words, then over the bytes that are left. */
function hash(bytes: Uint8Array): number {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  const words = new Uint32Array(aligned.buffer, aligned.byteOffset, bytes.length >> 2);
  let h = 0x811c9dc5;
  for (let i = 0; i < words.length; i++) {
    h = Math.imul(h ^ words[i]!, PRIME);
    h ^= h >>> 15;
  }
  for (let i = bytes.length & ~3; i < bytes.length; i++) h = Math.imul(h ^ bytes[i]!, PRIME);
  return h >>> 0;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

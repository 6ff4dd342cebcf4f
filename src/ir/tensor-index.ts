/** @file Finding tensors by their content. */
import { bytesOfTensor, type Tensor } from "./tensor.ts";

/** Items under tensors: those with the same dtype, dims and bytes are one key. */
export interface TensorIndex<T> {
  get(tensor: Tensor): T | undefined;
  set(tensor: Tensor, item: T): void;
}

interface Entry<T> {
  readonly bytes: Uint8Array;
  item: T;
  hash?: number;
}

/** An empty index. Strings and data that was not loaded are no keys: nothing is found under them, and what is set is dropped. */
export function tensorIndex<T>(): TensorIndex<T> {
  const buckets = new Map<string, Entry<T>[]>();
  const bucketOf = ({ dtype, dims }: Tensor, bytes: Uint8Array) => {
    const key = `${dtype} ${dims.join()} ${sampleHash(bytes)}`;
    const bucket = buckets.get(key) ?? [];
    buckets.set(key, bucket);
    return bucket;
  };
  return {
    get(tensor) {
      if (!hasBytes(tensor)) return undefined;
      const bytes = bytesOfTensor(tensor);
      return entryOf(bucketOf(tensor, bytes), bytes)?.item;
    },
    set(tensor, item) {
      if (!hasBytes(tensor)) return;
      const bytes = bytesOfTensor(tensor);
      const bucket = bucketOf(tensor, bytes);
      const known = entryOf(bucket, bytes);
      if (known) known.item = item;
      else bucket.push({ bytes, item });
    },
  };
}

/** All bytes are read only where samples of them were seen before. */
function entryOf<T>(bucket: readonly Entry<T>[], bytes: Uint8Array): Entry<T> | undefined {
  const same = bucket.find((entry) => entry.bytes === bytes);
  if (same || bucket.length === 0) return same;
  const whole = hash(bytes);
  return bucket.find((entry) => {
    entry.hash ??= hash(entry.bytes);
    return entry.hash === whole && equalBytes(entry.bytes, bytes);
  });
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

const SAMPLES = 1024;

/** As {@link hash}, over bytes at equal distances. */
function sampleHash(bytes: Uint8Array): number {
  if (bytes.length <= 4 * SAMPLES) return hash(bytes);
  const distance = (bytes.length - 1) / SAMPLES;
  let h = 0x811c9dc5;
  for (let i = 0; i <= SAMPLES; i++) {
    h = Math.imul(h ^ bytes[Math.floor(i * distance)]!, PRIME);
    h ^= h >>> 15;
  }
  return h >>> 0;
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

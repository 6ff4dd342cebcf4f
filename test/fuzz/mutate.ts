/** @file Random changes to the bytes of a file; the same seed gives the same changes. */

/** Uniform in [0, 1). */
export type Random = () => number;

/** Mulberry32. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

export type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array;

export const mutations = {
  flip(bytes, random) {
    const next = bytes.slice();
    for (let i = 0; i <= below(random, 4); i++) next[below(random, next.length)]! ^= 1 << below(random, 8);
    return next;
  },
  overwrite(bytes, random) {
    const next = bytes.slice();
    for (let i = 0; i <= below(random, 3); i++) next[below(random, next.length)] = below(random, 256);
    return next;
  },
  truncate: (bytes, random) => bytes.slice(0, below(random, bytes.length + 1)),
  /** A number of up to ten bytes in the place of one. */
  inflate(bytes, random) {
    const at = below(random, bytes.length);
    const long = new Uint8Array(1 + below(random, 10)).fill(0xff);
    if (random() < 0.7) long[long.length - 1] = below(random, 128);
    return joined(bytes.subarray(0, at), long, bytes.subarray(at + 1));
  },
  splice(bytes, random, other) {
    const [from, to] = range(other, random);
    const at = below(random, bytes.length + 1);
    return joined(bytes.subarray(0, at), other.subarray(from, to), bytes.subarray(at));
  },
  duplicate(bytes, random) {
    const [from, to] = range(bytes, random);
    return joined(bytes.subarray(0, to), bytes.subarray(from));
  },
  remove(bytes, random) {
    const [from, to] = range(bytes, random);
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  },
  /** Fields of a message may stand twice: two whole models are one. */
  append: (bytes, _random, other) => joined(bytes, other),
} satisfies Record<string, Mutation>;

function range(bytes: Uint8Array, random: Random): readonly [number, number] {
  const from = below(random, bytes.length + 1);
  return [from, Math.min(bytes.length, from + 1 + below(random, 64))];
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/**
 * @file Random numbers as a function of (seed, stream, index): Philox4x32-10 of Salmon, Moraes, Dror and Shaw,
 * "Parallel random numbers: as easy as 1, 2, 3" (SC 2011). The state is a counter, so any draw can be had without the
 * ones before it, streams never overlap, and a resumed run continues bit for bit on every platform.
 */
import { nth } from "../checked.ts";
import { ensure, UsageError } from "../errors.ts";

const rounds = 10;
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;

export type Words4 = readonly [number, number, number, number];

/** Philox4x32-10: four random 32-bit words from a 128-bit counter and a 64-bit key. */
export function philox(counter: Words4, key: readonly [number, number]): Words4 {
  const words = new Uint32Array(counter);
  philoxInPlace(words, key[0], key[1]);
  return [words[0]!, words[1]!, words[2]!, words[3]!];
}

/** Replaces the four words of a counter by the random ones. */
function philoxInPlace(words: Uint32Array, key0: number, key1: number): void {
  let [c0, c1, c2, c3] = [words[0]!, words[1]!, words[2]!, words[3]!];
  let k0 = key0;
  let k1 = key1;
  for (let round = 0; round < rounds; round++) {
    const x0 = multiplyHigh(multiplier1, c2) ^ c1 ^ k0;
    const x2 = multiplyHigh(multiplier0, c0) ^ c3 ^ k1;
    c1 = Math.imul(multiplier1, c2);
    c3 = Math.imul(multiplier0, c0);
    c0 = x0;
    c2 = x2;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  words[0] = c0;
  words[1] = c1;
  words[2] = c2;
  words[3] = c3;
}

/** The upper 32 bits of a 32 × 32 bit product, by 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const cross = aLow * bHigh + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) | 0;
}

/** A sequence of random numbers. Each method takes the next draws of the sequence. */
export interface Random {
  /** An integer in [0, 2³²). */
  word(): number;
  /** Uniform in [0, 1), 53 random bits. */
  uniform(): number;
  /** Uniform in [low, high). */
  between(low: number, high: number): number;
  /** A uniform integer in [0, bound), without bias. */
  below(bound: number): number;
  /** Standard normal, by the Box-Muller transform. */
  normal(): number;
}

/** At most three integers in [0, 2³²): a purpose, an epoch, a sample's index, a layer, a rank. */
export type Stream = readonly [] | readonly [number] | readonly [number, number] | readonly [number, number, number];

/**
 * The sequence named by `seed` and `stream`, of 2³⁴ words. Seeds are integers in [0, 2⁵³); different streams give
 * independent sequences.
 */
export function random(seed: number, ...stream: Stream): Random {
  const key = seedKey(seed);
  const [stream0 = 0, stream1 = 0, stream2 = 0] = stream;
  let block = 0;
  const words = new Uint32Array(4);
  let used = 4;
  let spare: number | undefined;

  function word(): number {
    if (used === 4) {
      words[0] = block;
      words[1] = stream2;
      words[2] = stream0;
      words[3] = stream1;
      philoxInPlace(words, key[0], key[1]);
      block++;
      used = 0;
    }
    return words[used++]!;
  }
  const uniform = () => ((word() >>> 5) * 2 ** 26 + (word() >>> 6)) / 2 ** 53;

  return {
    word,
    uniform,
    between: (low, high) => low + (high - low) * uniform(),
    below(bound) {
      const limit = 2 ** 32 - (2 ** 32 % bound);
      for (;;) {
        const value = word();
        if (value < limit) return value % bound;
      }
    },
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
  };
}

/** The integers 0 … size−1 in random order (Fisher-Yates). */
export function permutation(size: number, source: Random): number[] {
  return shuffle(
    Array.from({ length: size }, (_, i) => i),
    source,
  );
}

/** A copy of `items` in random order (Fisher-Yates). */
export function shuffle<T>(items: readonly T[], source: Random): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = source.below(i + 1);
    [result[i], result[j]] = [nth(result, j), nth(result, i)];
  }
  return result;
}

function seedKey(seed: number): [number, number] {
  ensure(
    Number.isSafeInteger(seed) && seed >= 0,
    () => new UsageError("a seed is a whole number", { expected: "an integer from 0 to 2^53 - 1", got: `${seed}` }),
  );
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

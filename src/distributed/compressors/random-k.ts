/** @file Values at random places, the same on all ranks: Stich, Cordonnier and Jaggi, "Sparsified SGD with memory" (2018), arXiv:1809.07599. */
import { random } from "../../data/index.ts";
import { checkOptions } from "../../options.ts";
import { checkBytes, checkedValue, viewOf } from "../encoding/refused.ts";
import { type Place, sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";
import { checkDensity, countOf } from "./density.ts";

export interface RandomKOptions {
  /** The share that is sent, rounded up. Default 0.01. */
  readonly density?: number;
  /** Values are multiplied by one over the share, so that their expectation is the gradient. For use without a memory. Default false. */
  readonly unbiased?: boolean;
  /** Of the places, together with the update and the tensor. Default 0. */
  readonly seed?: number;
}

/** 32 bits for each value that is sent, none for its place. */
export function randomK(options: RandomKOptions = {}): ByteCompressor {
  const {
    density = 0.01,
    unbiased = false,
    seed = 0,
  } = checkOptions(options, { density: true, unbiased: true, seed: true });
  checkDensity(density);
  random(seed);
  const places = (place: Place): Uint32Array =>
    drawnPlaces(sizeOf(place), density, random(seed, place.update, place.index));
  return {
    kind: "bytes",
    name: "random-k",
    isUnbiased: unbiased,
    compress(values, place) {
      const drawn = places(place);
      const factor = unbiased ? values.length / drawn.length : 1;
      const bytes = new Uint8Array(4 * drawn.length);
      const view = viewOf(bytes);
      drawn.forEach((from, i) => {
        view.setFloat32(4 * i, (values[from] ?? 0) * factor, true);
      });
      return bytes;
    },
    decompress(bytes, place) {
      const values = new Float32Array(sizeOf(place));
      checkBytes(bytes, 4 * countOf(density, values.length));
      const view = viewOf(bytes);
      places(place).forEach((to, i) => {
        values[to] = checkedValue(view.getFloat32(4 * i, true));
      });
      return values;
    },
  };
}

/** Different places of `length`, each set as likely as any other: Floyd's algorithm (Bentley, CACM 1987). */
function drawnPlaces(length: number, density: number, { below }: ReturnType<typeof random>): Uint32Array {
  const drawn = new Set<number>();
  for (let last = length - countOf(density, length); last < length; last++) {
    const place = below(last + 1);
    drawn.add(drawn.has(place) ? last : place);
  }
  return Uint32Array.from(drawn);
}

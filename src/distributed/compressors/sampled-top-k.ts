/**
 * @file The greatest magnitudes by a threshold that a sample gives: hierarchical selection of Lin et al., "Deep gradient compression" (ICLR 2018),
 * arXiv:1712.01887.
 */
import { random } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { decodeSparse, encodeSparse } from "../encoding/sparse.ts";
import { type Place, sizeOf } from "../exchange/place.ts";
import type { ByteCompressor } from "./compressor.ts";
import { checkDensity, countOf } from "./density.ts";
import { greatestPlaces, nthGreatest, placesWhere } from "./select.ts";

export interface SampledTopKOptions {
  /** The share that is sent. Default 0.001. */
  readonly density?: number;
  /** Updates in which the shares of `warmupDensities` are sent, each in as many, before `density`. Default 0. */
  readonly warmupUpdates?: number;
  /** Default 25 %, 6.25 %, 1.5625 % and 0.4 %. */
  readonly warmupDensities?: readonly number[];
  /** The share of values that gives the threshold; as many as hold two that are sent, at least. 1 is all: exact selection. Default 0.01. */
  readonly sample?: number;
  /** What is sent lies between these shares of what should be, where the threshold is not exact. Default [0.8, 1.3]. */
  readonly bounds?: readonly [number, number];
  /** Changes of the threshold, each by one of the bounds. Default 10. */
  readonly iterations?: number;
  /** Of the place where the sample begins, together with the update and the tensor. Default 0. */
  readonly seed?: number;
}

export const sampledTopKOptionsNames: OptionNames<SampledTopKOptions> = {
  density: true,
  warmupUpdates: true,
  warmupDensities: true,
  sample: true,
  bounds: true,
  iterations: true,
  seed: true,
};

const usualDensities = [0.25, 0.0625, 0.015625, 0.004];

/**
 * 48 bits for each value that is sent. The threshold is what the sample, every n-th magnitude, would have; it falls by the lower bound where too few lie
 * above; where more than the upper bound do, the greatest of those are selected exactly. Biased: it wants a memory.
 */
export function sampledTopK(options: SampledTopKOptions = {}): ByteCompressor {
  const settings = settingsOf(options);
  const { seed } = settings;
  return {
    kind: "bytes",
    name: "sampled-top-k",
    isUnbiased: false,
    compress(values, place) {
      const start = random(seed, place.update, place.index).uniform();
      return encodeSparse(values, selected(values.map(Math.abs), densityAt(settings, place), start, settings));
    },
    decompress: (bytes, place) => decodeSparse(bytes, sizeOf(place)),
  };
}

type Settings = Required<SampledTopKOptions>;

function settingsOf(options: SampledTopKOptions): Settings {
  const settings = {
    density: 0.001,
    warmupUpdates: 0,
    warmupDensities: usualDensities,
    sample: 0.01,
    bounds: [0.8, 1.3] as const,
    iterations: 10,
    seed: 0,
    ...checkOptions(options, sampledTopKOptionsNames),
  };
  const [low, high] = settings.bounds;
  checkDensity(settings.density);
  for (const density of settings.warmupDensities) checkDensity(density, "a density of the warm-up");
  checkDensity(settings.sample, "sample");
  checkCount("warmupUpdates", settings.warmupUpdates, { least: 0 });
  checkCount("iterations", settings.iterations, { least: 0 });
  random(settings.seed);
  if (low > 0 && low < 1 && high > 1) return settings;
  throw new UsageError("bounds lie on both sides of 1", {
    expected: "such as 0.8, 1.3",
    got: settings.bounds.join(", "),
  });
}

/** The share that is sent in an update. */
function densityAt({ density, warmupUpdates, warmupDensities }: Settings, { update }: Pick<Place, "update">): number {
  const stage = Math.floor(((update - 1) * warmupDensities.length) / warmupUpdates);
  return update > warmupUpdates ? density : (warmupDensities[stage] ?? density);
}

function selected(magnitudes: Float32Array, density: number, start: number, settings: Settings): Uint32Array {
  const { length } = magnitudes;
  const { bounds, iterations, sample } = settings;
  const count = countOf(density, length);
  const sampled = Math.max(countOf(sample, length), countOf(2 / density, 1));
  const stride = Math.floor(length / sampled);
  if (stride <= 1) return greatestPlaces(magnitudes, count);
  const samples = everyNth(magnitudes, stride, Math.floor(start * stride));
  let least = nthGreatest(samples, countOf(density, samples.length));
  const above = (): Uint32Array => placesWhere(magnitudes, (value) => value >= least && value > 0);
  let places = above();
  for (let i = 0; i < iterations && places.length < bounds[0] * count; i++) {
    least *= bounds[0];
    places = above();
  }
  if (places.length <= bounds[1] * count) return places;
  const candidates = new Float32Array(places.length).map((_, i) => magnitudes[places[i] ?? 0] ?? 0);
  return greatestPlaces(candidates, count).map((i) => places[i] ?? 0);
}

function everyNth(values: Float32Array, n: number, first: number): Float32Array {
  const count = Math.ceil((values.length - first) / n);
  return new Float32Array(count).map((_, i) => values[first + i * n] ?? 0);
}

/** @file Disjoint parts of a dataset, and its samples in random order. */
import { must } from "../checked.ts";
import { DataError, ensure, UsageError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type Dataset, subset } from "./dataset.ts";
import { random, shuffle } from "./random.ts";

export interface SplitOptions {
  readonly calibration: number;
  /** Default: all that are left. */
  readonly evaluation?: number;
  readonly seed: number;
}

export interface Split {
  readonly calibration: Dataset;
  readonly evaluation: Dataset;
}

const splitOptionsNames: OptionNames<SplitOptions> = { calibration: true, evaluation: true, seed: true };

/** Two disjoint parts; see `partition`. */
export async function split(dataset: Dataset, options: SplitOptions): Promise<Split> {
  const { calibration, evaluation, seed } = checkOptions(options, splitOptionsNames);
  return partition(dataset, { calibration, evaluation: evaluation ?? "rest" }, seed);
}

/**
 * Disjoint random parts by name, the same for the same seed: for training, validation and test, say. A size is a number of samples, and
 * one may be the `rest`. With labels each part has the classes in the dataset's proportions, up to rounding. Asking for more samples than there are
 * is a `DataError`.
 */
export async function partition<K extends string>(
  dataset: Dataset,
  sizes: Readonly<Record<K, number | "rest">>,
  seed: number,
): Promise<Record<K, Dataset>> {
  const counts = countsOf(sizes, dataset.size);
  const labels = await dataset.labels?.();
  const order = labels ? stratifiedOrder(labels, seed) : shuffledOrder(dataset.size, seed);
  let start = 0;
  const parts = counts.map(([name, count]) => {
    const positions = order.slice(start, start + count);
    start += count;
    return [name, subset(dataset, positions)] as const;
  });
  return Object.fromEntries(parts) as Record<K, Dataset>;
}

/** The samples in a random order that depends on the seed alone. */
export function shuffleSamples(dataset: Dataset, seed: number): Dataset {
  return subset(dataset, shuffledOrder(dataset.size, seed));
}

function countsOf(sizes: Readonly<Record<string, number | "rest">>, size: number): (readonly [string, number])[] {
  const entries = Object.entries(sizes);
  const stated = entries.map(([, count]) => count).filter((count) => count !== "rest");
  const rests = entries.length - stated.length;
  ensure(rests <= 1, () => new UsageError("only one part can be the rest", { got: `${rests}` }));
  const left = size - stated.reduce((sum, count) => sum + count, 0);
  ensure(
    stated.every(isCount) && left >= 0,
    () =>
      new DataError("the data has too few samples for the split", {
        expected: entries.map(([name, count]) => `${count} for ${name}`).join(" and "),
        got: `${size} samples`,
        hint: "Ask for fewer of either, or give more data.",
      }),
  );
  return entries.map(([name, count]) => [name, count === "rest" ? left : count] as const);
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

/** Positions in random order. */
export function shuffledOrder(size: number, seed: number): number[] {
  return stratifiedOrder(new Uint8Array(size), seed);
}

/**
 * Positions in a random order of which every stretch has the classes in proportion: the member of rank r among the n
 * of its class, in random order within the class, is placed at (r + u) / n, with one random u per class.
 */
export function stratifiedOrder(labels: ArrayLike<number>, seed: number): number[] {
  const members = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const group = members.get(labels[i]!);
    if (group) group.push(i);
    else members.set(labels[i]!, [i]);
  }
  const source = random(seed, streamOfSplits);
  const places: { place: number; position: number }[] = [];
  for (const key of [...members.keys()].sort((a, b) => a - b)) {
    const group = shuffle(must(members, key), source);
    const start = source.uniform();
    for (const [rank, position] of group.entries()) places.push({ place: (rank + start) / group.length, position });
  }
  return places.sort((a, b) => a.place - b.place || a.position - b.position).map(({ position }) => position);
}

const streamOfSplits = 0x51;

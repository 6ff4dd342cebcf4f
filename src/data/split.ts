/** @file Disjoint parts of a dataset for calibration and evaluation. */
import { DataError, ensure } from "../errors.ts";
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

/**
 * Two disjoint random parts, the same for the same seed. With labels each part has the classes in the dataset's
 * proportions, up to rounding. Asking for more samples than there are is a `DataError`.
 */
export async function split(dataset: Dataset, { calibration, evaluation, seed }: SplitOptions): Promise<Split> {
  const rest = evaluation ?? Math.max(0, dataset.size - calibration);
  const fits = isCount(calibration) && isCount(rest) && calibration + rest <= dataset.size;
  ensure(
    fits,
    () =>
      new DataError("the data has too few samples for the split", {
        expected: `${calibration} for calibration and ${rest} for evaluation`,
        got: `${dataset.size} samples`,
        hint: "Ask for fewer of either, or give more data.",
      }),
  );
  const labels = await dataset.labels?.();
  const order = labels ? stratifiedOrder(labels, seed) : shuffledOrder(dataset.size, seed);
  return {
    calibration: subset(dataset, order.slice(0, calibration)),
    evaluation: subset(dataset, order.slice(calibration, calibration + rest)),
  };
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
    const group = shuffle(members.get(key)!, source);
    const start = source.uniform();
    for (const [rank, position] of group.entries()) places.push({ place: (rank + start) / group.length, position });
  }
  return places.sort((a, b) => a.place - b.place || a.position - b.position).map(({ position }) => position);
}

const streamOfSplits = 0x51;

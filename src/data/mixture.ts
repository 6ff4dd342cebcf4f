/** @file Several data sets drawn from as one. */
import { nth } from "../checked.ts";
import { DataError, UsageError } from "../errors.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type Dataset, datasetOf, type Sample } from "./dataset.ts";
import { permutation, random } from "./random.ts";

export interface MixtureOptions {
  /** Samples that are drawn. */
  readonly size: number;
  /** A set of n samples is drawn from in proportion to n to this power: 1 (default) as if they were one, 0 each alike. */
  readonly power?: number;
  readonly seed: number;
}

const mixtureOptionsNames: OptionNames<MixtureOptions> = { size: true, power: true, seed: true };

/** Random numbers: of the choice among sets, and of the order within one. */
const [CHOICE, ORDER] = [0x3a, 0x3b];

/**
 * Each sample is drawn from one of the sets; a set hands out all of its samples in random order before any of them again. `change` sees each sample
 * with the number of its set. The same for the same seed.
 */
export function mixture(
  sets: readonly Dataset[],
  options: MixtureOptions,
  change: (sample: Sample, set: number) => Sample = (sample) => sample,
): Dataset {
  const { size, power = 1, seed } = checkOptions(options, mixtureOptionsNames);
  checkMixture(sets, size, power);
  const { choices, places } = drawn(sets, { size, power, seed });
  const orderOf = ordersOf(sets, seed);
  const read = async (position: number): Promise<Sample> => {
    const [set, place] = [choices[position]!, places[position]!];
    const data = nth(sets, set);
    const order = orderOf(set, Math.floor(place / data.size));
    for await (const sample of data.pick([nth(order, place % data.size)])) return change(sample, set);
    throw new DataError("a data set handed out nothing", { where: `set ${set}` });
  };
  const assumptions = sets.flatMap(({ assumptions: own = [] }) => own);
  return datasetOf({ size, ...(assumptions.length > 0 && { assumptions }), open: () => ({ read }) });
}

function checkMixture(sets: readonly Dataset[], size: number, power: number): void {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new UsageError("a mixture has a number of samples", { expected: "1 or more", got: String(size) });
  }
  if (!Number.isFinite(power)) throw new UsageError("the power of a mixture is no number", { got: String(power) });
  const empty = sets.findIndex((data) => data.size === 0);
  if (sets.length > 0 && empty < 0) return;
  throw new DataError("there is nothing to draw from", { where: empty < 0 ? "no data set" : `set ${empty}` });
}

/** Of each position the set, and how many of that set came before it. */
function drawn(sets: readonly Dataset[], { size, power, seed }: Required<MixtureOptions>) {
  const source = random(seed, CHOICE);
  const weights = sets.map((data) => data.size ** power);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const seen = sets.map(() => 0);
  const choices = new Uint32Array(size);
  const places = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    let left = source.uniform() * total;
    const found = weights.findIndex((weight) => {
      left -= weight;
      return left < 0;
    });
    const set = found < 0 ? sets.length - 1 : found;
    choices[i] = set;
    places[i] = seen[set]!++;
  }
  return { choices, places };
}

/** The order in which a set hands out its samples the first, second, … time. */
function ordersOf(sets: readonly Dataset[], seed: number): (set: number, round: number) => readonly number[] {
  const known = new Map<string, readonly number[]>();
  return (set, round) => {
    const key = `${set} ${round}`;
    const order = known.get(key) ?? permutation(nth(sets, set).size, random(seed, ORDER, set, round));
    if (known.size > HELD) known.clear();
    known.set(key, order);
    return order;
  };
}

/** Orders that are held at once. */
const HELD = 32;

/** @file The thresholds of exits under a bound on accuracy or on cost, from what the exits did on validation data. */
import { lastOf, nth } from "../../checked.ts";
import { BoundError, UsageError } from "../../errors.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { ExitRecords } from "./exit-records.ts";

export interface ThresholdOptions {
  /** Of a sample that leaves at each exit, rising, the whole network last: `exitCosts`, or measured times. */
  readonly costs: readonly number[];
  /** Either the least accuracy, of which the cheapest is chosen, or the largest mean cost, of which the most accurate. */
  readonly bound: { readonly accuracy: number } | { readonly cost: number };
}

export interface ChosenThresholds {
  /** The least score of each exit; ∞ where it is never taken. */
  readonly thresholds: readonly number[];
  /** On the records. */
  readonly accuracy: number;
  readonly cost: number;
  /** Share of the samples that leaves at each exit, the whole network last. */
  readonly shares: readonly number[];
}

/** Halvings of the price of an error. */
const STEPS = 40;
/** Rounds over the exits at one price; each lowers the sum or is the last. */
const ROUNDS = 20;

const thresholdOptionsNames: OptionNames<ThresholdOptions> = { costs: true, bound: true };

/**
 * Minimises mean cost + price · errors, one exit after the other and each exactly given the others, and looks for the price that the bound
 * asks for by bisection. Thresholds lie between two scores that were seen.
 *
 * @throws BoundError when neither these thresholds nor the whole network keep the bound.
 */
export function chooseThresholds(records: ExitRecords, options: ThresholdOptions): ChosenThresholds {
  const { costs, bound } = checkOptions(options, thresholdOptionsNames);
  checkRecords(records, costs);
  const { keeps, isBetter } = aims(bound);
  const whole = outcomeOf(
    records,
    costs,
    records.scores.map(() => Number.POSITIVE_INFINITY),
  );
  const exits = [...records.scores.keys()];
  let best = keeps(whole) ? whole : undefined;
  let [low, high] = [nth(costs, 0) * 1e-3, lastOf(costs) * 1e6];
  for (let step = 0; step < STEPS; step++) {
    const price = Math.sqrt(low * high);
    const found = outcomeOf(records, costs, atPrice(records, costs, price));
    if (keeps(found)) {
      for (const order of [exits, exits.toReversed()]) {
        const moved = refined(records, costs, found, isBetter, order);
        if (!best || isBetter(moved, best)) best = moved;
      }
    }
    const isTooLow = "accuracy" in bound ? !keeps(found) : keeps(found);
    if (isTooLow) low = price;
    else high = price;
  }
  if (best) return best;
  throw new BoundError("no thresholds keep the bound", {
    expected: "accuracy" in bound ? `an accuracy of ${bound.accuracy}` : `a mean cost of ${bound.cost}`,
    got: `accuracy ${whole.accuracy} at cost ${whole.cost} without exits`,
  });
}

type Reached = Pick<ChosenThresholds, "accuracy" | "cost">;

interface Aims {
  keeps(reached: Reached): boolean;
  /** False where the first does not keep the bound. */
  isBetter(a: Reached, b: Reached): boolean;
}

function aims(bound: ThresholdOptions["bound"]): Aims {
  if ("accuracy" in bound) {
    const keeps = ({ accuracy }: Reached) => accuracy >= bound.accuracy;
    return {
      keeps,
      isBetter: (a, b) => keeps(a) && (a.cost < b.cost || (a.cost === b.cost && a.accuracy > b.accuracy)),
    };
  }
  const keeps = ({ cost }: Reached) => cost <= bound.cost;
  return {
    keeps,
    isBetter: (a, b) => keeps(a) && (a.accuracy > b.accuracy || (a.accuracy === b.accuracy && a.cost < b.cost)),
  };
}

function checkRecords({ scores, right }: ExitRecords, costs: readonly number[]): void {
  const isRising = costs.every((cost, k) => cost > 0 && Number.isFinite(cost) && cost >= (costs[k - 1] ?? 0));
  if (costs.length !== right.length || !isRising) {
    throw new UsageError("the costs do not fit the exits", {
      expected: `${right.length} positive numbers that do not fall`,
      got: costs.join(", "),
    });
  }
  const count = right[0]?.length;
  const fits = scores.length === right.length - 1 && [...scores, ...right].every(({ length }) => length === count);
  if (!fits || !count) throw new UsageError("the records of the exits do not fit each other");
}

/** What given thresholds do on the records. */
export function outcomeOf(
  { scores, right }: ExitRecords,
  costs: readonly number[],
  thresholds: readonly number[],
): ChosenThresholds {
  const count = nth(right, 0).length;
  const taken = new Array<number>(right.length).fill(0);
  let correct = 0;
  for (let sample = 0; sample < count; sample++) {
    const exit = exitOf(scores, thresholds, sample, 0);
    taken[exit]!++;
    if (nth(right, exit)[sample]) correct++;
  }
  const shares = taken.map((number) => number / count);
  return { thresholds, accuracy: correct / count, cost: meanCost(taken, count, costs), shares };
}

function meanCost(taken: readonly number[], count: number, costs: readonly number[]): number {
  return taken.reduce((sum, number, k) => sum + (number / count) * nth(costs, k), 0);
}

/** The first exit from `start` on that the sample takes. */
function exitOf(scores: ExitRecords["scores"], thresholds: readonly number[], sample: number, start: number): number {
  let exit = start;
  while (exit < scores.length && nth(nth(scores, exit), sample) < nth(thresholds, exit)) exit++;
  return exit;
}

function atPrice(records: ExitRecords, costs: readonly number[], price: number): number[] {
  const thresholds = records.scores.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < ROUNDS; round++) {
    const before = thresholds.join();
    for (let k = thresholds.length - 1; k >= 0; k--) {
      const sum = ({ cost, errors }: Change): number => cost + price * errors;
      const least = changesOf(records, costs, thresholds, k).reduce((a, b) => (sum(b) < sum(a) ? b : a));
      thresholds[k] = least.threshold;
    }
    if (thresholds.join() === before) break;
  }
  return thresholds;
}

/** Moves single thresholds on within the bound: prices alone only find the corners of what can be had. */
function refined(
  records: ExitRecords,
  costs: readonly number[],
  start: ChosenThresholds,
  isBetter: Aims["isBetter"],
  order: readonly number[],
): ChosenThresholds {
  const count = nth(records.right, 0).length;
  let best = start;
  for (const k of order) {
    const { thresholds } = best;
    const never = outcomeOf(records, costs, thresholds.with(k, Number.POSITIVE_INFINITY));
    const correct = Math.round(never.accuracy * count);
    const taken = never.shares.map((share) => Math.round(share * count));
    // Counted as outcomes are: a sum of differences may miss a bound that is kept to the last digit.
    const reached = changesOf(records, costs, thresholds, k).map(({ threshold, errors, moved }) => {
      const left = taken.map((number, exit) => number + nth(moved, exit));
      return { threshold, accuracy: (correct - errors) / count, cost: meanCost(left, count, costs) };
    });
    const now = { ...best, threshold: nth(thresholds, k) };
    const { threshold } = reached.reduce((x, y) => (isBetter(y, x) ? y : x), now);
    best = outcomeOf(records, costs, thresholds.with(k, threshold));
  }
  return best;
}

/** What a threshold of one exit changes against never taking it, summed over the samples. */
interface Change {
  readonly threshold: number;
  readonly cost: number;
  readonly errors: number;
  /** How many samples more leave at each exit, the whole network last. */
  readonly moved: readonly number[];
}

/** All that one threshold can do while the others stay, from never taken to always. */
function changesOf(
  { scores, right }: ExitRecords,
  costs: readonly number[],
  thresholds: readonly number[],
  k: number,
): Change[] {
  const own = nth(scores, k);
  const before = scores.slice(0, k);
  const reaching = [...own.keys()].filter((sample) => exitOf(before, thresholds, sample, 0) === k);
  const sorted = reaching.sort((a, b) => nth(own, b) - nth(own, a));
  const moved = right.map(() => 0);
  const changes: Change[] = [{ threshold: Number.POSITIVE_INFINITY, cost: 0, errors: 0, moved: moved.slice() }];
  let [cost, errors] = [0, 0];
  sorted.forEach((sample, i) => {
    const other = exitOf(scores, thresholds, sample, k + 1);
    cost += nth(costs, k) - nth(costs, other);
    errors += Number(nth(right, other)[sample]) - Number(nth(right, k)[sample]);
    moved[k]!++;
    moved[other]!--;
    const next = sorted[i + 1];
    if (next !== undefined && own[next] === own[sample]) return;
    const threshold = next === undefined ? nth(own, sample) : (nth(own, sample) + nth(own, next)) / 2;
    changes.push({ threshold, cost, errors, moved: moved.slice() });
  });
  return changes;
}

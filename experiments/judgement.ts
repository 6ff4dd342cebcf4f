/** @file Whether the parts of a criterion hold in recorded figures, and how a section says so. */
import { type Interval, studentQuantile, wilsonInterval } from "../src/measure/index.ts";
import { meanAndDeviation } from "./training-folder.ts";

/** One part of a criterion. */
export interface Judgement {
  readonly what: string;
  /** Undefined where it cannot be told: noise could decide, or the figure was not recorded. */
  readonly holds: boolean | undefined;
  /** The figures, with an interval where noise could decide. */
  readonly figure: string;
  /** Why it fails or cannot be told, where that is known. */
  readonly why?: string;
}

/** Whether a whole 95 % interval lies above a bound; undefined where it holds the bound. */
export function isAbove([low, high]: Interval, bound: number): boolean | undefined {
  if (low > bound) return true;
  return high < bound ? false : undefined;
}

export function isAtLeast([low, high]: Interval, bound: number): boolean | undefined {
  if (low >= bound) return true;
  return high < bound ? false : undefined;
}

export function isAtMost([low, high]: Interval, bound: number): boolean | undefined {
  return isAtLeast([-high, -low], -bound);
}

/** The 95 % interval of the mean of a few seeds (Student's t); everything of one seed or none. */
export function meanInterval(values: readonly number[]): Interval {
  if (values.length < 2) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const { mean, deviation } = meanAndDeviation(values);
  const half = (studentQuantile(values.length - 1) * deviation) / Math.sqrt(values.length);
  return [mean - half, mean + half];
}

/** The 95 % interval of the difference of two shares of `n` samples each (Newcombe 1998, by Wilson's); wider than it has to be where the samples are the same. */
export function differenceInterval(first: number, second: number, n: number): Interval {
  const [[low, high], [otherLow, otherHigh]] = [first, second].map((share) => wilsonInterval(share * n, n)) as [
    Interval,
    Interval,
  ];
  const difference = first - second;
  return [
    difference - Math.hypot(first - low, otherHigh - second),
    difference + Math.hypot(high - first, second - otherLow),
  ];
}

/** Mean and 95 % interval over seeds, in words. */
export function overSeeds(values: readonly number[], show: (x: number) => string): string {
  const { mean } = meanAndDeviation(values);
  return `${show(mean)} (${intervalText(meanInterval(values), show)}, ${values.length} seeds)`;
}

/** Both ends; their unit stands behind the second. */
export function intervalText([low, high]: Interval, show: (x: number) => string): string {
  return `${show(low).replace(/ (points|nats|%)$/, "")} to ${show(high)}`;
}

export const points = (x: number): string => `${x < 0 ? "−" : "+"}${Math.abs(100 * x).toFixed(2)} points`;
export const percentage = (x: number): string => `${(100 * x).toFixed(2)} %`;
export const ratio = (x: number): string => x.toFixed(2);

/** A claim about each of several things: how many keep it, and which do not. */
export function everyOne<T>(
  what: string,
  things: readonly T[],
  holds: (thing: T) => boolean | undefined,
  named: (thing: T) => string,
): Judgement {
  if (things.length === 0) return { what, holds: undefined, figure: "nothing was recorded" };
  const of = (wanted: boolean | undefined) => things.filter((thing) => holds(thing) === wanted);
  const [kept, broken, open] = [of(true), of(false), of(undefined)];
  const list = (word: string, found: readonly T[]) => found.length > 0 && `${word}: ${found.map(named).join("; ")}`;
  const parts = [`${kept.length} of ${things.length}`, list("not", broken), list("cannot be told", open)];
  return {
    what,
    holds: broken.length > 0 ? false : open.length > 0 ? undefined : true,
    figure: parts.filter(Boolean).join("; "),
  };
}

/** What training from scratch came to, for every seed: the accuracy on `tested` samples, and the time. */
export function trainedWithin(
  rows: readonly { readonly seed: number; readonly test: number; readonly cpuMinutes: number }[],
  { bound, tested, minutes }: { readonly bound: number; readonly tested: number; readonly minutes: number },
): Judgement[] {
  return [
    everyOne(
      `test accuracy is at least ${100 * bound} % for every seed`,
      rows,
      ({ test }) => isAtLeast(wilsonInterval(test * tested, tested), bound),
      ({ seed, test }) =>
        `seed ${seed} ${percentage(test)} (${intervalText(wilsonInterval(test * tested, tested), percentage)})`,
    ),
    everyOne(
      `within ${minutes} CPU minutes`,
      rows,
      ({ cpuMinutes }) => cpuMinutes <= minutes,
      ({ seed, cpuMinutes }) => `seed ${seed} ${cpuMinutes.toFixed(1)}`,
    ),
  ];
}

/** The end of a section: what the judgements come to, then those that do not hold. */
export function verdictText(judgements: readonly Judgement[]): string {
  const kept = judgements.filter(({ holds }) => holds === true);
  const rest = judgements.filter(({ holds }) => holds !== true);
  const lines = rest.map(({ what, holds, figure, why }) => {
    const word = holds === false ? "Not shown" : "Cannot be told";
    return `- ${word}: ${what}. ${capital(figure)}.${why === undefined ? "" : ` Why: ${why}`}`;
  });
  return [
    `**Verdict.** ${summary(judgements.length, kept.length, rest)}.`,
    ...(lines.length > 0 ? ["", ...lines] : []),
  ].join("\n");
}

function summary(all: number, kept: number, rest: readonly Judgement[]): string {
  if (rest.length === 0 && all > 0) return "shown";
  if (kept > 0) return `partly shown (${kept} of ${all})`;
  return rest.some(({ holds }) => holds === false) ? "not shown" : "too noisy to tell";
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

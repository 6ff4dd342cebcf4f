/** @file Structured pruning: channels, heads and units of little importance go, with all that hangs on them. */
import { UsageError } from "../errors.ts";
import { type Model, maxOf } from "../ir/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import {
  classesOf,
  countsAt,
  type Prunable,
  type PrunedModel,
  type PruneSettings,
  prunable,
  pruneSettingsNames,
  without,
} from "./prunable.ts";
import { checkRounding, roundingText } from "./rounding.ts";

/** How much goes: a share of the classes of a width, or so much that this share of the multiply-accumulates is left at most. */
export type PruneAmount =
  | { readonly ratio: number; readonly macs?: undefined }
  | { readonly macs: number; readonly ratio?: undefined };

export type PruneOptions = PruneAmount & PruneSettings;

const pruneOptionsNames: OptionNames<PruneAmount & PruneSettings> = {
  ratio: true,
  macs: true,
  ...pruneSettingsNames,
};

/**
 * The model with narrower layers. What has to shrink together follows from the axis links of its operators: filters with the norms and
 * depthwise layers behind them, channels that are added up, heads of an attention. Nothing is trained.
 *
 * @throws UsageError for a ratio that leaves nothing or takes nothing, and for names of which no layer is called; UnsupportedError where a
 * length that is computed while the model runs does not follow.
 */
export function pruneModel(model: Model, options: PruneOptions): PrunedModel {
  checkAmount(checkOptions(options, pruneOptionsNames));
  const found = prunable(model, options);
  return without(found, classesOf(found, countsFor(found, options)));
}

/** How many classes of each open width go. @throws UsageError for an amount that takes nothing, or that cannot be reached */
export function countsFor(found: Prunable, options: PruneOptions): readonly number[] {
  const { ratio, macs } = options;
  if (ratio === undefined) return countsTo(found, macs, options);
  const counts = countsAt(found, ratio, options);
  if (isNothing(counts)) throw tooLittle(found, ratio, options);
  return counts;
}

export function isNothing(counts: readonly number[]): boolean {
  return counts.every((count) => count === 0);
}

/** Ratios that are tried on the way to a share of multiply-accumulates. */
const STEPS = 10;

/** At the smallest ratio, in steps of 2^−10, that leaves no more than the share. */
function countsTo(found: Prunable, share: number, settings: PruneSettings): readonly number[] {
  let best: readonly number[] | undefined;
  let least = 1;
  let [low, high] = [0, 1];
  for (let step = 0; step < STEPS; step++) {
    const ratio = (low + high) / 2;
    const counts = countsAt(found, ratio, settings);
    const left = isNothing(counts) ? 1 : macsLeft(without(found, classesOf(found, counts)));
    least = Math.min(least, left);
    if (left <= share) [best, high] = [counts, ratio];
    else low = ratio;
  }
  if (best) return best;
  throw new UsageError("so few multiply-accumulates cannot be reached", {
    expected: `a share of at least ${least.toFixed(3)} of them`,
    got: String(share),
    hint: "Let widths lose more with most, round less, or take another ranking.",
  });
}

function macsLeft({ report: { macs } }: PrunedModel): number {
  return macs.after / macs.before;
}

function checkAmount(options: PruneOptions): void {
  const { ratio, macs } = options;
  checkSettings(options, { ratio, macs });
  if ((ratio === undefined) !== (macs === undefined)) return;
  throw new UsageError("one of ratio and macs says how much goes", { got: ratio === undefined ? "none" : "both" });
}

/** @throws UsageError for a number out of range */
export function checkSettings(
  { round = 1, most = 0.9 }: PruneSettings,
  amount: Readonly<Record<string, number | undefined>>,
): void {
  for (const [name, share] of Object.entries({ ...amount, most })) {
    if (share === undefined || (share > 0 && share < 1)) continue;
    throw new UsageError(`${name} is out of range`, { expected: "above 0 and below 1", got: String(share) });
  }
  checkRounding(round);
}

function tooLittle({ open }: Prunable, ratio: number, { round = 1 }: PruneSettings): UsageError {
  const largest = maxOf(open.map(({ ascending }) => ascending.length));
  return new UsageError("the ratio takes nothing away", {
    expected:
      round === 1 ? `at least 1 of ${largest}` : `a ratio that takes a multiple of ${roundingText(round)} positions`,
    got: String(ratio),
  });
}

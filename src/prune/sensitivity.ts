/** @file How much the answers suffer when one width alone is narrowed, and a ranking by it. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { labelOf, type Model } from "../ir/index.ts";
import { measureAgreement } from "../measure/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { checkCancelled, type Feeds, type OpenSession, type SessionOptions } from "../runtime/index.ts";
import { classesOf, type PruneSettings, prunable, pruneSettingsNames, without } from "./prunable.ts";
import { belowOneThreshold, type RankedWidth, type Ranking } from "./ranking.ts";

/** Of one width that can be narrowed. */
export interface WidthCurve {
  /** Nodes whose weights make it. */
  readonly layers: readonly string[];
  /** ‖a − b‖ / ‖a‖ of the answers, the worst output, when the width alone loses the share; ascending. */
  readonly points: readonly { readonly share: number; readonly error: number }[];
}

export interface SensitivityOptions extends Omit<PruneSettings, "ranking" | "round"> {
  readonly open: OpenSession;
  readonly session?: SessionOptions;
  /** Inputs on which answers are compared; read once for every point. */
  readonly batches: () => AsyncIterable<Feeds> | Iterable<Feeds>;
  /** Shares that a width loses, ascending; 0.1, 0.3, 0.5 and 0.7 by default. */
  readonly shares?: readonly number[];
  readonly signal?: AbortSignal;
  readonly onCurve?: (curve: WidthCurve, done: number, total: number) => void;
}

const { ranking: _, round: __, ...settingsNames } = pruneSettingsNames;

const sensitivityOptionsNames: OptionNames<SensitivityOptions> = {
  ...settingsNames,
  open: true,
  session: true,
  batches: true,
  shares: true,
  signal: true,
  onCurve: true,
};

/**
 * The curves of all widths that can be narrowed, in the order of their first layers (Li et al. 2017, arXiv:1608.08710, section 3.2, with
 * the error of the answers in the place of the accuracy, so that no labels are needed).
 *
 * @throws UsageError for shares that do not ascend within 0 and 1, and what `pruneModel` throws
 */
export async function measurePruneSensitivity(model: Model, options: SensitivityOptions): Promise<WidthCurve[]> {
  const {
    open,
    session,
    shares = [0.1, 0.3, 0.5, 0.7],
    signal,
    onCurve,
  } = checkOptions(options, sensitivityOptionsNames);
  checkShares(shares);
  const { batches, criterion, most, limits, factor, exclude, seed, evidence } = options;
  const settings = { criterion, most, limits, factor, exclude, seed, evidence };
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
  const found = prunable(model, given as PruneSettings);
  await using original = await open(model, session);
  const curves: WidthCurve[] = [];
  for (const [place, { width, ascending, most: limit }] of found.open.entries()) {
    const points: { share: number; error: number }[] = [];
    for (const share of shares) {
      checkCancelled(signal);
      const count = Math.min(limit, Math.floor(share * ascending.length));
      if (count === 0 || points.at(-1)?.share === count / ascending.length) continue;
      const counts = found.open.map((_, other) => (other === place ? count : 0));
      await using narrow = await open(without(found, classesOf(found, counts)).model, session);
      const { relative } = await measureAgreement(original, narrow, feedsOf(batches));
      points.push({ share: count / ascending.length, error: relative });
    }
    const curve = { layers: [...new Set(width.axes.map(({ node }) => labelOf(node)))], points };
    curves.push(curve);
    onCurve?.(curve, curves.length, found.open.length);
  }
  return curves;
}

function checkShares(shares: readonly number[]): void {
  if (shares.length > 0 && shares.every((share, i) => share > 0 && share < 1 && !(share <= (shares[i - 1] ?? 0))))
    return;
  throw new UsageError("shares that a width loses ascend between 0 and 1", { got: shares.join(", ") });
}

async function* feedsOf(batches: SensitivityOptions["batches"]) {
  for await (const feeds of batches()) yield { feeds };
}

export interface SensitivityRankingOptions {
  /** No width loses more than what brings the answers to this error when it alone loses it; no bound by default. */
  readonly mostError?: number;
}

const sensitivityRankingOptionsNames: OptionNames<SensitivityRankingOptions> = { mostError: true };

/**
 * Every width loses as much as brings the answers to the same error when it alone loses it. Between the points of a curve errors lie on a
 * line, behind the last one they go on as before it, and they never fall.
 *
 * @throws UsageError for curves of other widths than those that are ranked
 */
export function bySensitivity(curves: readonly WidthCurve[], options: SensitivityRankingOptions = {}): Ranking {
  const { mostError = Number.POSITIVE_INFINITY } = checkOptions(options, sensitivityRankingOptionsNames);
  return {
    name: "sensitivity",
    summary: SENSITIVITY,
    counts(widths, ratio) {
      if (widths.length !== curves.length) {
        throw new UsageError("sensitivity was measured of other widths", {
          expected: `${widths.length} curves`,
          got: String(curves.length),
        });
      }
      return belowOneThreshold(
        widths.map((width, i) => byError(width, nth(curves, i), mostError)),
        ratio,
      );
    },
  };
}

export const SENSITIVITY = "as much of each width as the answers bear, measured (arXiv:1608.08710; needs data)";

/** The width whose classes are as important as the error when they and all less important ones are gone, as far as that is allowed. */
function byError(width: RankedWidth, curve: WidthCurve, mostError: number): RankedWidth {
  const { length } = width.ascending;
  const error = errorOf(curve);
  const ascending = width.ascending.map(({ of }, i) => ({ of, importance: error((i + 1) / length) }));
  const allowed = ascending.filter(({ importance }) => importance <= mostError).length;
  return { ...width, ascending, most: Math.min(width.most, allowed) };
}

function errorOf({ points }: WidthCurve): (share: number) => number {
  let highest = 0;
  const rising = [{ share: 0, error: 0 }];
  for (const { share, error } of points) {
    highest = Math.max(highest, Number.isFinite(error) ? error : Number.MAX_VALUE);
    rising.push({ share, error: highest });
  }
  return (share) => {
    const next = rising.findIndex((point) => point.share >= share);
    const end = Math.max(1, next < 0 ? rising.length - 1 : next);
    if (rising.length === 1) return share;
    const [a, b] = [nth(rising, end - 1), nth(rising, end)];
    return a.error + ((share - a.share) / (b.share - a.share)) * (b.error - a.error);
  };
}

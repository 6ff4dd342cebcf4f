/** @file Structured pruning: channels, heads and units of little importance go, with all that hangs on them. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { checkPatterns, labelOf, type Model, type NodePattern, nodeMatcher } from "../ir/index.ts";
import { type AxisClasses, axisClasses, costOf, type FactorPreference, type ModelCost } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type CriterionName, criteria } from "./criteria/index.ts";
import type { Criterion } from "./criterion.ts";
import { cutClasses } from "./cut.ts";
import type { WeightEvidence } from "./evidence.ts";
import { importanceOf } from "./importance.ts";
import type { RankedWidth, Ranking } from "./ranking.ts";
import { type RankingName, rankings } from "./rankings/index.ts";
import { weightAxes } from "./weight-axes.ts";
import { type Width, widthsOf } from "./widths.ts";

/** How much goes: a share of the classes of a width, or so much that this share of the multiply-accumulates is left at most. */
export type PruneAmount =
  | { readonly ratio: number; readonly macs?: undefined }
  | { readonly macs: number; readonly ratio?: undefined };

export type PruneOptions = PruneAmount & PruneSettings;

export interface PruneSettings {
  /** What says which classes matter least; `"l2"` by default. */
  readonly criterion?: CriterionName | Criterion;
  /** How widths compare; `"local"` by default. */
  readonly ranking?: RankingName | Ranking;
  /** Widths are left with multiples of this many positions, never with fewer than the ratio leaves; 1 by default. */
  readonly round?: number;
  /** The largest share that one width may lose; 0.9 by default. */
  readonly most?: number;
  /** Of products such as heads × width: whole heads (`"outer"`, default), or the same positions of each. */
  readonly factor?: FactorPreference;
  /** Layers whose widths stay, by the names of nodes; `*` stands for any characters. */
  readonly exclude?: readonly NodePattern[];
  /** For criteria that draw. */
  readonly seed?: number;
  /** For criteria that need gradients or inputs: what `gatherEvidence` found. */
  readonly evidence?: WeightEvidence;
}

export interface PrunedWidth {
  /** Nodes whose weights make the width. */
  readonly layers: readonly string[];
  /** Positions on the axis of the first layer. */
  readonly before: number;
  readonly after: number;
  /** Why it stayed, or a part of it. */
  readonly held: readonly string[];
}

export interface PruneReport {
  readonly widths: readonly PrunedWidth[];
  /** Multiply-accumulates of a batch of one, and parameters. */
  readonly macs: { readonly before: number; readonly after: number };
  readonly parameters: { readonly before: number; readonly after: number };
}

export interface PrunedModel {
  readonly model: Model;
  readonly report: PruneReport;
}

const pruneOptionsNames: OptionNames<PruneAmount & PruneSettings> = {
  ratio: true,
  macs: true,
  criterion: true,
  ranking: true,
  round: true,
  most: true,
  factor: true,
  exclude: true,
  seed: true,
  evidence: true,
};

/**
 * The model with narrower layers. What has to shrink together follows from the axis links of its operators: filters with the norms and
 * depthwise layers behind them, channels that are added up, heads of an attention. Nothing is trained.
 *
 * @throws UsageError for a ratio that leaves nothing or takes nothing, and for names of which no layer is called; UnsupportedError where a
 * length that is computed while the model runs does not follow.
 */
export function pruneModel(model: Model, options: PruneOptions): PrunedModel {
  const found = prunable(model, checkOptions(options, pruneOptionsNames));
  const { ratio, macs } = options;
  if (ratio === undefined) return prunedTo(found, macs, options);
  const removed = removedAt(found, ratio, options);
  if (removed.size === 0) throw tooLittle(found, ratio, options);
  return without(found, removed);
}

/** A model with what can be cut out of it. */
interface Prunable {
  readonly model: Model;
  readonly cost: ModelCost;
  readonly classes: AxisClasses;
  readonly widths: readonly Width[];
  /** Those of which something can go. */
  readonly open: readonly RankedWidth[];
}

function prunable(model: Model, options: PruneOptions): Prunable {
  const { factor = "outer", exclude = [], criterion = "l2", most = 0.9, seed = 0, evidence } = options;
  checkRange(options);
  checkPatterns(model.graph, { exclude });
  const classes = axisClasses(model, { factor });
  const axes = weightAxes(model, classes);
  const widths = withoutExcluded(widthsOf(model, axes, classes), exclude);
  const open = widths.filter((width) => width.classes.length > 1);
  if (open.length === 0) throw nothingToPrune(widths);
  const named: Criterion = typeof criterion === "string" ? criteria[criterion] : criterion;
  const importance = importanceOf(model, axes, named, seed, evidence);
  const ranked = open.map((width) => rankedWidth(width, importance, most));
  return { model, cost: costOf(model), classes, widths, open: ranked };
}

function withoutExcluded(widths: readonly Width[], exclude: readonly NodePattern[]): Width[] {
  const isExcluded = nodeMatcher(exclude);
  return widths.map((width) => {
    if (!width.axes.some(({ node }) => isExcluded(node))) return width;
    return { ...width, classes: [], held: [...width.held, "excluded by name"] };
  });
}

function rankedWidth(width: Width, importance: ReadonlyMap<number, number>, most: number): RankedWidth {
  const scored = width.classes.map((of) => ({ of, importance: importance.get(of) ?? Infinity }));
  const known = scored.filter((each) => each.importance < Infinity);
  const ascending = scored.sort((a, b) => a.importance - b.importance || a.of - b.of);
  return { width, ascending, most: Math.min(known.length, Math.floor(most * ascending.length), ascending.length - 1) };
}

function without(found: Prunable, removed: ReadonlySet<number>): PrunedModel {
  const model = cutClasses(found.model, found.classes, (of) => removed.has(of));
  return { model, report: reportOf(found, model, removed) };
}

/** Ratios that are tried on the way to a share of multiply-accumulates. */
const STEPS = 10;

/** By the smallest ratio, in steps of 2^−10, that leaves no more than the share. */
function prunedTo(found: Prunable, share: number, settings: PruneSettings): PrunedModel {
  let best: PrunedModel | undefined;
  let least = 1;
  let [low, high] = [0, 1];
  for (let step = 0; step < STEPS; step++) {
    const ratio = (low + high) / 2;
    const removed = removedAt(found, ratio, settings);
    const tried = removed.size > 0 ? without(found, removed) : undefined;
    const left = tried ? tried.report.macs.after / tried.report.macs.before : 1;
    least = Math.min(least, left);
    if (left <= share) [best, high] = [tried, ratio];
    else low = ratio;
  }
  if (best) return best;
  throw new UsageError("so few multiply-accumulates cannot be reached", {
    expected: `a share of at least ${least.toFixed(3)} of them`,
    got: String(share),
    hint: "Let widths lose more with most, round less, or take another ranking.",
  });
}

function removedAt({ open }: Prunable, ratio: number, { ranking = "local", round = 1 }: PruneSettings): Set<number> {
  const counts = (typeof ranking === "string" ? rankings[ranking] : ranking).counts(open, ratio);
  return new Set(
    open.flatMap(({ width, ascending }, i) => {
      const count = roundedCount(width, ascending.length, nth(counts, i), round);
      return ascending.slice(0, count).map(({ of }) => of);
    }),
  );
}

function checkRange({ ratio, macs, round = 1, most = 0.9 }: PruneOptions): void {
  for (const [name, share] of Object.entries({ ratio, macs, most })) {
    if (share === undefined || (share > 0 && share < 1)) continue;
    throw new UsageError(`${name} is out of range`, { expected: "above 0 and below 1", got: String(share) });
  }
  if ((ratio === undefined) === (macs === undefined))
    throw new UsageError("one of ratio and macs says how much goes", { got: ratio === undefined ? "none" : "both" });
  if (!(Number.isSafeInteger(round) && round >= 1))
    throw new UsageError("round must be a whole number of at least 1", { got: String(round) });
}

/** Fewer go, until what is left of the width is a multiple of `round`; none where there is no such number. */
function roundedCount({ positions }: Width, classes: number, count: number, round: number): number {
  if (round === 1) return count;
  const each = positions / classes;
  for (let fewer = count; fewer > 0; fewer--) if ((positions - fewer * each) % round === 0) return fewer;
  return 0;
}

function nothingToPrune(widths: readonly Width[]): UsageError {
  const reasons = [...new Set(widths.flatMap(({ held }) => held))];
  return new UsageError("no layer of the model can be narrowed", {
    expected: "layers with weights whose channels nothing needs whole",
    got: reasons.length > 0 ? reasons.slice(0, 4).join("; ") : "none",
  });
}

function tooLittle({ open }: Prunable, ratio: number, { round = 1 }: PruneSettings): UsageError {
  const largest = open.reduce((most, { ascending }) => Math.max(most, ascending.length), 0);
  return new UsageError("the ratio takes nothing away", {
    expected: round > 1 ? `a ratio that takes a multiple of ${round} positions` : `at least 1 of ${largest}`,
    got: String(ratio),
  });
}

function reportOf({ cost, widths }: Prunable, after: Model, removed: ReadonlySet<number>): PruneReport {
  const left = costOf(after);
  return {
    widths: widths.map(({ classes, axes, positions, held }) => {
      const gone = new Set(classes.filter((of) => removed.has(of)));
      return {
        layers: [...new Set(axes.map(({ node }) => labelOf(node)))],
        before: positions,
        after: positions - nth(axes, 0).classes.reduce((count, of) => count + (gone.has(of) ? 1 : 0), 0),
        held,
      };
    }),
    macs: { before: cost.macs, after: left.macs },
    parameters: { before: cost.params, after: left.params },
  };
}

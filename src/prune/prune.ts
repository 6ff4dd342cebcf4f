/** @file Structured pruning: channels, heads and units of little importance go, with all that hangs on them. */
import { UsageError } from "../errors.ts";
import { checkPatterns, describeNode, type Model, type Node, type NodePattern, nodeMatcher } from "../ir/index.ts";
import { axisClasses, costOf, type FactorPreference } from "../ops/index.ts";
import { checkOptions, type OptionNames } from "../options.ts";
import { type CriterionName, criteria } from "./criteria/index.ts";
import type { Criterion } from "./criterion.ts";
import { cutClasses } from "./cut.ts";
import { importanceOf } from "./importance.ts";
import type { RankedWidth, Ranking } from "./ranking.ts";
import { type RankingName, rankings } from "./rankings/index.ts";
import { weightAxes } from "./weight-axes.ts";
import { type Width, widthsOf } from "./widths.ts";

export interface PruneOptions {
  /** Share of the classes of a width that goes, from 0 to below 1. */
  readonly ratio: number;
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

const pruneOptionsNames: OptionNames<PruneOptions> = {
  ratio: true,
  criterion: true,
  ranking: true,
  round: true,
  most: true,
  factor: true,
  exclude: true,
  seed: true,
};

/**
 * The model with narrower layers. What has to shrink together follows from the axis links of its operators: filters with the norms and
 * depthwise layers behind them, channels that are added up, heads of an attention. Nothing is trained.
 *
 * @throws UsageError for a ratio that leaves nothing or takes nothing, and for names of which no layer is called; UnsupportedError where a
 * length that is computed while the model runs does not follow.
 */
export function pruneModel(model: Model, options: PruneOptions): PrunedModel {
  const { factor = "outer" } = checkOptions(options, pruneOptionsNames);
  checkRange(options);
  checkPatterns(model.graph, { exclude: options.exclude });
  const classes = axisClasses(model, { factor });
  const axes = weightAxes(model, classes);
  const isExcluded = nodeMatcher(options.exclude ?? []);
  const widths = widthsOf(model, axes, classes);
  const open = widths.filter((width) => width.classes.length > 1 && !width.axes.some(({ node }) => isExcluded(node)));
  if (open.length === 0) throw nothingToPrune(widths);
  const removed = chosenClasses(model, axes, open, options);
  if (removed.size === 0) throw tooLittle(open, options);
  const pruned = cutClasses(model, classes, (of) => removed.has(of));
  return { model: pruned, report: reportOf(model, pruned, widths, removed, isExcluded) };
}

function checkRange({ ratio, round = 1, most = 0.9 }: PruneOptions): void {
  if (!(ratio > 0 && ratio < 1))
    throw new UsageError("the ratio is out of range", { expected: "above 0 and below 1", got: String(ratio) });
  if (!(most > 0 && most < 1))
    throw new UsageError("most is out of range", { expected: "above 0 and below 1", got: String(most) });
  if (!(Number.isSafeInteger(round) && round >= 1))
    throw new UsageError("round must be a whole number of at least 1", { got: String(round) });
}

function chosenClasses(
  model: Model,
  axes: ReturnType<typeof weightAxes>,
  open: readonly Width[],
  { ratio, criterion = "l2", ranking = "local", round = 1, most = 0.9, seed = 0 }: PruneOptions,
): Set<number> {
  const chosen = typeof criterion === "string" ? criteria[criterion] : criterion;
  const importance = importanceOf(model, axes, chosen, seed);
  const ranked = open.map((width): RankedWidth => {
    const scored = width.classes.map((of) => ({ of, importance: importance.get(of) ?? Infinity }));
    const known = scored.filter((each) => each.importance < Infinity);
    const ascending = scored.sort((a, b) => a.importance - b.importance || a.of - b.of);
    return {
      width,
      ascending,
      most: Math.min(known.length, Math.floor(most * ascending.length), ascending.length - 1),
    };
  });
  const counts = (typeof ranking === "string" ? rankings[ranking] : ranking).counts(ranked, ratio);
  return new Set(
    ranked.flatMap(({ width, ascending }, i) => {
      const count = roundedCount(width, ascending.length, counts[i]!, round);
      return ascending.slice(0, count).map(({ of }) => of);
    }),
  );
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

function tooLittle(open: readonly Width[], { ratio, round = 1 }: PruneOptions): UsageError {
  const largest = open.reduce((most, { classes }) => Math.max(most, classes.length), 0);
  return new UsageError("the ratio takes nothing away", {
    expected: round > 1 ? `a ratio that takes a multiple of ${round} positions` : `at least 1 of ${largest}`,
    got: String(ratio),
  });
}

function reportOf(
  before: Model,
  after: Model,
  widths: readonly Width[],
  removed: ReadonlySet<number>,
  isExcluded: (node: Node) => boolean,
): PruneReport {
  const [first, last] = [costOf(before), costOf(after)];
  return {
    widths: widths.map(({ classes, axes, positions, held }) => {
      const gone = new Set(classes.filter((of) => removed.has(of)));
      const excluded = axes.some(({ node }) => isExcluded(node)) ? ["excluded by name"] : [];
      return {
        layers: [...new Set(axes.map(({ node }) => node.name || describeNode(node)))],
        before: positions,
        after: positions - axes[0]!.classes.reduce((count, of) => count + (gone.has(of) ? 1 : 0), 0),
        held: [...held, ...excluded],
      };
    }),
    macs: { before: first.macs, after: last.macs },
    parameters: { before: first.params, after: last.params },
  };
}

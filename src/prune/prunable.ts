/** @file What can be cut out of a model, in which order, and how much of it at a ratio. */
import { nth } from "../checked.ts";
import { UsageError } from "../errors.ts";
import { checkPatterns, labelOf, type Model, type NodePattern, nodeMatcher } from "../ir/index.ts";
import { type AxisClasses, axisClasses, costOf, type FactorPreference, type ModelCost } from "../ops/index.ts";
import type { OptionNames } from "../options.ts";
import { type CostChange, costChange } from "./cost-change.ts";
import { type CriterionName, criteria } from "./criteria/index.ts";
import type { Criterion } from "./criterion.ts";
import { cutClasses } from "./cut.ts";
import type { WeightEvidence } from "./evidence.ts";
import { importanceOf } from "./importance.ts";
import type { RankedWidth, Ranking } from "./ranking.ts";
import { type RankingName, rankings } from "./rankings/index.ts";
import { blockOf, type Rounding, roundedCount } from "./rounding.ts";
import { weightAxes } from "./weight-axes.ts";
import { type Width, widthsOf } from "./widths.ts";

/** How much the widths of some layers may lose. */
export interface PruneLimit {
  /** By the names of nodes; `*` stands for any characters. */
  readonly layer: NodePattern;
  readonly most: number;
}

export interface PruneSettings {
  /** What says which classes matter least; `"l2"` by default. */
  readonly criterion?: CriterionName | Criterion;
  /** How widths compare; `"local"` by default. */
  readonly ranking?: RankingName | Ranking;
  /**
   * Widths are left with multiples of this many positions, never with fewer than the ratio leaves: of one number, or of the blocks of a
   * machine (`measureKernelBlocks`), the larger one where layers of both kinds share a width. 1 by default.
   */
  readonly round?: Rounding;
  /** The largest share that one width may lose; 0.9 by default. */
  readonly most?: number;
  /** Largest shares of the widths of single layers; of several that a width has, the least holds. 0 keeps it. */
  readonly limits?: readonly PruneLimit[];
  /** Of products such as heads × width: whole heads (`"outer"`, default), or the same positions of each. */
  readonly factor?: FactorPreference;
  /** Layers whose widths stay, by the names of nodes; `*` stands for any characters. */
  readonly exclude?: readonly NodePattern[];
  /** For criteria that draw. */
  readonly seed?: number;
  /** For criteria that need gradients or inputs: what `gatherEvidence` found. */
  readonly evidence?: WeightEvidence;
}

export const pruneSettingsNames: OptionNames<PruneSettings> = {
  criterion: true,
  ranking: true,
  round: true,
  most: true,
  limits: true,
  factor: true,
  exclude: true,
  seed: true,
  evidence: true,
};

export interface PrunedWidth {
  /** Nodes whose weights make the width. */
  readonly layers: readonly string[];
  /** Positions on the axis of the first layer. */
  readonly before: number;
  readonly after: number;
  /** Why it stayed, or a part of it. */
  readonly held: readonly string[];
}

export interface PruneReport extends CostChange {
  readonly widths: readonly PrunedWidth[];
}

export interface PrunedModel {
  readonly model: Model;
  readonly report: PruneReport;
}

/** A model with what can be cut out of it. */
export interface Prunable {
  readonly model: Model;
  readonly cost: ModelCost;
  readonly classes: AxisClasses;
  readonly widths: readonly Width[];
  /** Those of which something can go. */
  readonly open: readonly RankedWidth[];
}

/**
 * What can be cut out of the model, and what matters least in it.
 *
 * @throws UsageError where there is nothing, and for names of which no layer is called
 */
export function prunable(model: Model, options: PruneSettings): Prunable {
  const { factor = "outer", exclude = [], limits = [], criterion = "l2", most = 0.9, seed = 0, evidence } = options;
  checkPatterns(model.graph, { exclude, limits: limits.map(({ layer }) => layer) });
  const classes = axisClasses(model, { factor });
  const axes = weightAxes(model, classes);
  const widths = withoutExcluded(widthsOf(model, axes, classes), exclude);
  checkLimits(limits, widths);
  const open = widths.filter((width) => width.classes.length > 1);
  if (open.length === 0) throw nothingToPrune(widths);
  const named: Criterion = typeof criterion === "string" ? criteria[criterion] : criterion;
  const importance = importanceOf(model, axes, named, seed, evidence);
  const ranked = open.map((width) => rankedWidth(width, importance, limitOf(width, limits, most)));
  return { model, cost: costOf(model), classes, widths, open: ranked };
}

function withoutExcluded(widths: readonly Width[], exclude: readonly NodePattern[]): Width[] {
  const isExcluded = nodeMatcher(exclude);
  return widths.map((width) => {
    if (!width.axes.some(({ node }) => isExcluded(node))) return width;
    return { ...width, classes: [], held: [...width.held, "excluded by name"] };
  });
}

/** The least of what is said of the layers of a width. */
function limitOf({ axes }: Width, limits: readonly PruneLimit[], most: number): number {
  return limits.reduce((least, { layer, most: own }) => {
    const isMeant = nodeMatcher([layer]);
    return axes.some(({ node }) => isMeant(node)) ? Math.min(least, own) : least;
  }, most);
}

function checkLimits(limits: readonly PruneLimit[], widths: readonly Width[]): void {
  for (const { layer, most } of limits) {
    if (!(most >= 0 && most < 1))
      throw new UsageError("the limit of a layer is out of range", {
        expected: "from 0 to below 1",
        got: String(most),
      });
    const isMeant = nodeMatcher([layer]);
    if (widths.some(({ axes }) => axes.some(({ node }) => isMeant(node)))) continue;
    const first = widths.flatMap(({ axes }) => axes.slice(0, 1).map(({ node }) => JSON.stringify(labelOf(node))));
    throw new UsageError("a limit names no layer with a width", {
      expected: `layers such as ${first.slice(0, 3).join(", ")}`,
      got: JSON.stringify(layer),
    });
  }
}

function rankedWidth(width: Width, importance: ReadonlyMap<number, number>, most: number): RankedWidth {
  const scored = width.classes.map((of) => ({ of, importance: importance.get(of) ?? Infinity }));
  const known = scored.filter((each) => each.importance < Infinity);
  const ascending = scored.sort((a, b) => a.importance - b.importance || a.of - b.of);
  return { width, ascending, most: Math.min(known.length, Math.floor(most * ascending.length), ascending.length - 1) };
}

/** Without these classes. */
export function without(found: Prunable, removed: ReadonlySet<number>): PrunedModel {
  const model = cutClasses(found.model, found.classes, (of) => removed.has(of));
  return { model, report: reportOf(found, model, removed) };
}

/** How many of the least important classes of each open width go at a ratio, rounded. */
export function countsAt({ open }: Prunable, ratio: number, { ranking = "local", round = 1 }: PruneSettings): number[] {
  const counts = (typeof ranking === "string" ? rankings[ranking] : ranking).counts(open, ratio);
  return open.map(({ width, ascending }, i) =>
    roundedCount(width, ascending.length, nth(counts, i), blockOf(width, round)),
  );
}

/** The classes that go when so many of each open width do. */
export function classesOf({ open }: Prunable, counts: readonly number[]): Set<number> {
  return new Set(open.flatMap(({ ascending }, i) => ascending.slice(0, nth(counts, i)).map(({ of }) => of)));
}

function nothingToPrune(widths: readonly Width[]): UsageError {
  const reasons = [...new Set(widths.flatMap(({ held }) => held))];
  return new UsageError("no layer of the model can be narrowed", {
    expected: "layers with weights whose channels nothing needs whole",
    got: reasons.length > 0 ? reasons.slice(0, 4).join("; ") : "none",
  });
}

function reportOf({ cost, widths }: Prunable, after: Model, removed: ReadonlySet<number>): PruneReport {
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
    ...costChange(cost, costOf(after)),
  };
}

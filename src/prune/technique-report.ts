/** @file What pruning says of itself: sentences, facts, tables and charts. */
import { nth } from "../checked.ts";
import type { ChartSection, FigureCard, TableSection } from "../technique/index.ts";
import type { DroppedBlocks } from "./drop-blocks.ts";
import type { RoundCut } from "./narrow.ts";
import type { PruneReport } from "./prunable.ts";
import type { PruneDecision } from "./prune-measured.ts";
import type { PruneTrial } from "./race.ts";
import { roundingText } from "./rounding.ts";
import type { PruneRound } from "./rounds.ts";
import type { WidthCurve } from "./sensitivity.ts";

/** How fast what was chosen came out. */
export function speedOf({ chosen, trials }: PruneDecision): string {
  if (chosen === undefined) return "";
  const { latency } = nth(trials, chosen);
  const [low, high] = latency.spread.map((end) => end.toFixed(2));
  return `, ${latency.ratio.toFixed(2)} times the speed (${low} to ${high})`;
}

export function trialFacts({ round, narrowed, macs, latency: { ratio, spread, verdict } }: PruneTrial) {
  return { round, narrowed, macs, ratio, spread, verdict };
}

export function trialTable({ chosen, trials }: PruneDecision): TableSection {
  return {
    kind: "table",
    title: "Timed against the original",
    head: ["multiples of", "widths narrowed", "share of multiply-accumulates", "times the speed", "95 % interval"],
    rows: trials.map(({ round, narrowed, macs, latency: { ratio, spread } }, place) => ({
      cells: [roundingText(round), narrowed, macs, ratio, spread.map((end) => end.toFixed(2)).join(" to ")],
      isChosen: place === chosen,
    })),
  };
}

export function sentenceOf({ widths, macs, parameters }: PruneReport): string {
  const narrowed = widths.filter(({ before, after }) => after < before).length;
  const what = widths.length === 0 ? "" : `${narrowed} of ${widths.length} widths narrowed: `;
  return `${what}${times(macs)} fewer multiply-accumulates, ${times(parameters)} fewer parameters`;
}

export function factsOf({ widths, macs, parameters }: PruneReport) {
  return { widths, macs, parameters };
}

function times({ before, after }: { readonly before: number; readonly after: number }): string {
  return `${(before / after).toFixed(2)}×`;
}

export function cardOf(label: string, change: { readonly before: number; readonly after: number }): FigureCard {
  const { before, after } = change;
  const tone = after < before ? "better" : "plain";
  return {
    label,
    value: times(change),
    tone,
    change: "fewer",
    note: `${before.toLocaleString("en")} → ${after.toLocaleString("en")}`,
  };
}

export function widthTable({ widths }: PruneReport): TableSection {
  return {
    kind: "table",
    title: "Widths",
    head: ["layers", "before", "after", "held"],
    rows: widths.map(({ layers, before, after, held }) => ({
      cells: [layers.join(", "), before, after, held.join("; ")],
      isChosen: after < before,
    })),
  };
}

/** What the answers lose without each block alone, and in which order blocks went. */
export function blockTable({ blocks, dropped }: Omit<DroppedBlocks, "model">): TableSection {
  const went = new Map(dropped.map((name, order) => [name, order]));
  return {
    kind: "table",
    title: "Residual blocks",
    head: ["block", "nodes", "error of the answers without it", "went"],
    rows: blocks
      .filter(({ round }) => round === 0)
      .map(({ name, nodes, error }) => ({
        cells: [name, nodes, error, went.has(name) ? went.get(name)! + 1 : null],
        isChosen: went.has(name),
      })),
  };
}

/** Curves of the widths that the answers bear least, in the middle and best; all of them are in the table. */
export function curveChart(curves: readonly WidthCurve[]): ChartSection {
  const ordered = curves.toSorted((a, b) => worstOf(b) - worstOf(a));
  const places = [...new Set([0, Math.floor((ordered.length - 1) / 2), ordered.length - 1])];
  return {
    kind: "chart",
    title: "How much each width may lose",
    label: "Error of the answers over the share that one width alone loses",
    x: "share that goes",
    y: "error of the answers",
    series: places.map((place) => {
      const { layers, points } = nth(ordered, place);
      return { name: layers.join(", "), points: points.map(({ share, error }) => [share, error] as const) };
    }),
    empty: "No width has a curve.",
  };
}

function worstOf({ points }: WidthCurve): number {
  return points.at(-1)?.error ?? 0;
}

export function curveTable(curves: readonly WidthCurve[]): TableSection {
  return {
    kind: "table",
    title: "Error of the answers when one width alone loses a share",
    head: ["layers", "share: error"],
    rows: curves.map(({ layers, points }) => ({
      cells: [
        layers.join(", "),
        points.map(({ share, error }) => `${share.toFixed(2)}: ${Number(error.toPrecision(2))}`).join(", "),
      ],
    })),
  };
}

export const ROUND_HEAD = ["widths narrowed", "multiply-accumulates", "parameters"] as const;

export function roundCells({ widths, macs, parameters }: RoundCut): readonly (string | number)[] {
  return [widths.filter(({ before, after }) => after < before).length, macs, parameters];
}

export function roundFacts({ taken, ...answers }: PruneRound<RoundCut>) {
  if (!taken) return answers;
  const { widths, macs, parameters } = taken;
  return { ...answers, macs, parameters, widths: widths.map(({ layers, after }) => ({ layers, after })) };
}

/** What each width is behind each round. */
export function widthsByRound(rounds: readonly PruneRound<RoundCut>[]): TableSection {
  const cuts = rounds.flatMap(({ round, taken }) => (taken ? [{ round, widths: taken.widths }] : []));
  const first = cuts[0]?.widths ?? [];
  return {
    kind: "table",
    title: "Widths by round",
    head: ["layers", "before", ...cuts.map(({ round }) => `round ${round}`)],
    rows: first.map(({ layers, before }, place) => ({
      cells: [layers.join(", "), before, ...cuts.map(({ widths }) => widths[place]?.after ?? null)],
    })),
  };
}

/** @file What pruning says of itself: sentences, facts, tables and charts. */
import { nth } from "../checked.ts";
import type { FigureCard, TableSection } from "../technique/index.ts";
import type { PruneReport } from "./prunable.ts";
import type { PruneDecision } from "./prune-measured.ts";
import type { PruneTrial } from "./race.ts";
import { roundingText } from "./rounding.ts";

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
  return `${narrowed} of ${widths.length} widths narrowed: ${times(macs)} fewer multiply-accumulates, ${times(parameters)} fewer parameters`;
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

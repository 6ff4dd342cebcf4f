/** @file What early exit says of itself: tables and pictures. */
import { lastOf, nth } from "../../checked.ts";
import type { BarSection, ChartSection, FigureCard, Sections, TableSection } from "../../technique/index.ts";
import { type ChosenThresholds, chooseThresholds } from "./choose-thresholds.ts";
import type { ExitRecords } from "./exit-records.ts";

export interface ExitRow {
  /** The value that it reads. */
  readonly at: string;
  /** Share of the multiply-accumulates before it. */
  readonly depth: number;
  /** The same of a sample that leaves here, exits on the way included, over those of the original. */
  readonly cost: number;
  readonly threshold: number;
  /** Of its answers to all samples that chose the thresholds, and the share of those that leave here. */
  readonly accuracy: number;
  readonly share: number;
}

interface Told {
  readonly exits: readonly ExitRow[];
  /** Of a sample that does not leave, over those of the original. */
  readonly whole: number;
  readonly chosen: ChosenThresholds;
  readonly curve: readonly (readonly [number, number])[];
  readonly taken?: readonly number[];
}

export function rightOf(right: readonly boolean[]): number {
  return right.filter(Boolean).length / right.length;
}

/** Accuracies that may be lost, from none on. */
const DROPS = [0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2] as const;

/** What other bounds would have chosen. */
export function tradeOffs(records: ExitRecords, costs: readonly number[]): (readonly [number, number])[] {
  const accuracy = rightOf(lastOf(records.right));
  return DROPS.map((drop) => {
    const found = chooseThresholds(records, { costs, bound: { accuracy: Math.max(0, accuracy - drop) } });
    return [found.cost, found.accuracy] as const;
  });
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function meanCostOf({ exits, whole, chosen, taken }: Told): FigureCard {
  const costs = [...exits.map(({ cost }) => cost), whole];
  const spent = taken?.reduce((sum, share, k) => sum + share * nth(costs, k), 0) ?? chosen.cost;
  return {
    label: "Work per sample",
    value: percent(spent),
    tone: spent < 1 ? "better" : "worse",
    change: "of the multiply-accumulates of the original",
    note: taken ? "mean over the samples that verify" : "mean over the samples that chose the thresholds",
  };
}

/** Where samples leave. */
function exitBars({ exits, whole, chosen, taken = chosen.shares }: Told): BarSection {
  const names = [...exits.map(({ at }, k) => `exit ${k}: ${at}`), "the whole network"];
  const costs = [...exits.map(({ cost }) => cost), whole];
  return {
    kind: "bars",
    title: "Where samples leave",
    label: "Share of the samples that leaves at each exit",
    bars: names.map((name, k) => ({ name, share: taken[k] ?? 0, note: `${percent(nth(costs, k))} of the work` })),
  };
}

function exitTable({ exits, taken }: Told): TableSection {
  return {
    kind: "table",
    title: "Exits",
    head: [
      "reads",
      "work before it",
      "work of who leaves",
      "least score",
      "right by itself",
      "leave (choosing)",
      "leave (verifying)",
    ],
    rows: exits.map(({ at, depth, cost, threshold, accuracy, share }, k) => ({
      cells: [at, depth, cost, threshold, accuracy, share, taken?.[k] ?? null],
      isChosen: Number.isFinite(threshold),
    })),
  };
}

function tradeOff({ curve, chosen }: Told): ChartSection {
  return {
    kind: "chart",
    title: "What other thresholds would give",
    label: "Accuracy over mean work, on the samples that choose",
    x: "mean work of a sample",
    y: "accuracy",
    series: [
      { name: "best thresholds for a bound", points: curve },
      { name: "chosen", points: [[chosen.cost, chosen.accuracy]] },
    ],
    empty: "No other thresholds were tried.",
  };
}

/** What a technique whose samples leave early says of itself. */
export function leavingSections(
  evidence: Told & { readonly sentence: string },
  { confidence, drop }: { readonly confidence: string; readonly drop: number },
): Sections {
  return {
    verdict: evidence.sentence,
    cards: [meanCostOf(evidence)],
    parts: [exitBars(evidence), exitTable(evidence), tradeOff(evidence)],
    facts: [
      ["confidence", confidence],
      ["accuracy that thresholds may lose", String(drop)],
    ],
  };
}

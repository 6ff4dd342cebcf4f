/** @file What a technique says in a report: data, which the report draws. */
import type { LatencyComparison } from "../measure/index.ts";

/** A figure with its name, how it changed, and a note. */
export interface FigureCard {
  readonly label: string;
  readonly value: string;
  readonly tone: "better" | "worse" | "plain";
  readonly change: string;
  readonly note: string;
}

/** One model against another, timed apart from the comparison of every report. */
export interface SpeedCard {
  readonly label: string;
  /** What the threads are counted for, where there are several workers. */
  readonly each: string;
  readonly latency: LatencyComparison & { readonly ep: string; readonly threads: number; readonly batch: number };
}

export interface TableSection {
  readonly kind: "table";
  readonly title: string;
  readonly head: readonly string[];
  /** Numbers stand at the right. */
  readonly rows: readonly { readonly cells: readonly (string | number | null)[]; readonly isChosen?: boolean }[];
}

export interface ChartSection {
  readonly kind: "chart";
  readonly title: string;
  readonly label: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly (readonly [x: number, y: number])[];
  }[];
  /** What stands in its place where there is no point. */
  readonly empty: string;
}

export interface BarSection {
  readonly kind: "bars";
  readonly title: string;
  readonly label: string;
  /** Shares of a whole, in order. */
  readonly bars: readonly { readonly name: string; readonly share: number; readonly note: string }[];
}

export type Section = TableSection | ChartSection | BarSection;

/** The parts of a report that only one technique has. */
export interface Sections {
  /** What was done, without how well. */
  readonly verdict: string;
  readonly cards?: readonly FigureCard[];
  readonly speeds?: readonly SpeedCard[];
  readonly parts: readonly Section[];
  /** How it was made, as names and texts. */
  readonly facts: readonly (readonly [name: string, text: string])[];
}

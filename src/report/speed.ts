/** @file How fast one model is against another, in words and as a card. */
import { card } from "./document.ts";
import type { LatencyBlock } from "./facts.ts";
import { formatChange, formatMilliseconds, formatPercent, formatRatio } from "./format.ts";
import type { Markup } from "./markup.ts";

type Measured = Pick<LatencyBlock, "a" | "b" | "ratio" | "spread" | "verdict" | "inputs" | "sessions">;

/** `2.00× faster`, or that there is no telling. Reports of earlier versions have no verdict. */
export function formatSpeed({ ratio, verdict }: Pick<Measured, "ratio" | "verdict">): string {
  const change = formatChange(ratio, "faster", "slower");
  if (verdict === "same") return `as fast (${change}, no difference that matters)`;
  return verdict === "unclear" ? `too noisy to tell (${change})` : change;
}

/** What both take: the median, or the mean where inputs of different cost were timed in turn. */
export function formatTimes({ a, b, inputs = 1 }: Measured): string {
  const [before, after] = inputs > 1 ? [a.mean ?? a.p50, b.mean ?? b.p50] : [a.p50, b.p50];
  const mean = inputs > 1 ? `, mean of ${inputs} inputs` : "";
  return `${formatMilliseconds(before)} → ${formatMilliseconds(after)}${mean}`;
}

/** `95 % interval 1.90× to 2.10×`. */
export function formatSpread({ spread, sessions = 2 }: Measured): string {
  const noise = sessions > 1 ? "" : ", which does not know how far two sessions of one model come out apart";
  return `95 % interval ${formatRatio(spread[0])} to ${formatRatio(spread[1])}${noise}`;
}

/** Below this share of the time, waiting is no news. */
const USUAL = 0.1;

/** How busy the machine was, where runs on one thread of a processor had to wait for it. */
export function formatWaiting({ a, ep, threads }: Pick<LatencyBlock, "a" | "ep" | "threads">): string | undefined {
  if (threads > 1 || ep === "webgpu" || a.processor === undefined || a.mean === undefined) return undefined;
  const waited = 1 - a.processor / a.mean;
  if (waited < USUAL) return undefined;
  return `the machine was busy: runs of the original waited ${formatPercent(waited, 0)} of their time for a processor`;
}

/** @param each what the threads are counted for, where there are several workers */
export function speedCard(label: string, latency: LatencyBlock, each = ""): Markup {
  const { ratio, verdict, ep, threads, batch } = latency;
  const isOpen = verdict === "same" || verdict === "unclear";
  const tone = isOpen ? "plain" : ratio > 1 ? "better" : "worse";
  const told = isOpen ? `${formatSpeed(latency)}; ` : "";
  const setting = `${ep}, ${threads} thread${threads === 1 ? "" : "s"}${each}, batch ${batch}`;
  return card(label, formatRatio(ratio), tone, formatTimes(latency), `${told}${formatSpread(latency)}; ${setting}`);
}

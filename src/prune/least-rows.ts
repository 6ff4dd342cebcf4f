/** @file Which rows of weights go: those of the lowest scores, the first among equals. */
import type { CutWeight } from "./granularity.ts";

/** A weight, and how much each of its rows matters. */
export interface ScoredWeight {
  readonly cut: CutWeight;
  readonly scores: Float64Array;
}

/** `local`: the same share of every weight; `global`: one order of the rows of all weights, of each of which one row stays at least. */
export type SparseRanking = "local" | "global";

export interface RowsToTake {
  readonly share: number;
  readonly ranking: SparseRanking;
  /** Ranked locally, rows compare with those that lead to the same outputs only. */
  readonly withinOutputs: boolean;
}

/** For each weight a 1 for each row that goes. A weight cut into groups loses what its groups may not keep, whatever the share. */
export function leastRows(
  weights: readonly ScoredWeight[],
  { share, ranking, withinOutputs }: RowsToTake,
): Uint8Array[] {
  const marked = weights.map((weight) => ({ ...weight, gone: new Uint8Array(weight.cut.count) }));
  const shared = marked.filter(({ cut }) => !cut.groups);
  for (const { cut, scores, gone } of marked) {
    const { groups } = cut;
    if (groups) takeRuns(scores, groups.ends, (length) => length - Math.min(length, groups.keep), gone);
  }
  if (ranking === "global") takeOfAll(shared, share);
  else {
    for (const { cut, scores, gone: own } of shared)
      takeRuns(scores, withinOutputs ? cut.lines : Int32Array.of(cut.count), (length) => countOf(share, length), own);
  }
  return marked.map(({ gone }) => gone);
}

/** Whole rows in a share of them; a product that misses a whole number by rounding counts as it. */
export function countOf(share: number, rows: number): number {
  return Math.floor(share * rows + 1e-9);
}

function takeRuns(scores: Float64Array, ends: Int32Array, count: (length: number) => number, gone: Uint8Array): void {
  let from = 0;
  for (const end of ends) {
    takeLeast(scores.subarray(from, end), count(end - from), gone.subarray(from, end));
    from = end;
  }
}

function takeOfAll(weights: readonly (ScoredWeight & { readonly gone: Uint8Array })[], share: number): void {
  const total = weights.reduce((sum, { scores }) => sum + scores.length, 0);
  const all = new Float64Array(total);
  let at = 0;
  for (const { scores } of weights) {
    all.set(scores, at);
    if (scores.length > 0) all[at + largestIn(scores)] = Infinity;
    at += scores.length;
  }
  const gone = new Uint8Array(total);
  takeLeast(all, Math.min(countOf(share, total), total - weights.length), gone);
  at = 0;
  for (const { gone: own } of weights) {
    own.set(gone.subarray(at, at + own.length));
    at += own.length;
  }
}

function largestIn(scores: Float64Array): number {
  let [largest, most] = [0, -Infinity];
  for (const [i, score] of scores.entries()) if (score >= most) [largest, most] = [i, score];
  return largest;
}

/** Marks so many of the lowest scores, the first among equals. */
export function takeLeast(scores: Float64Array, count: number, gone: Uint8Array): void {
  if (count <= 0) return;
  const threshold = scores.slice().sort()[count - 1] ?? Infinity;
  let left = count;
  for (const [i, score] of scores.entries()) {
    if (!(score < threshold)) continue;
    gone[i] = 1;
    left--;
  }
  for (let i = 0; i < scores.length && left > 0; i++) {
    if (scores[i] !== threshold) continue;
    gone[i] = 1;
    left--;
  }
}

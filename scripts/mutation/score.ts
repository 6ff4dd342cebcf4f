/** @file What came of the mutants of a folder. */
import { type Interval, wilsonInterval } from "../../src/measure/index.ts";
import type { Status, Verdict } from "./judge.ts";
import { type Mutant, oneLine } from "./mutant.ts";

/** "pending": near tests did not notice, and the others were not asked yet. */
export type Fate = Status | "pending";

export interface Survivor {
  readonly at: string;
  readonly operator: string;
  readonly change: string;
  readonly status: Fate;
  /** Why no test needs to notice it, as a person found. */
  readonly reason?: string;
}

export interface FolderScore {
  readonly folder: string;
  /** Mutants that the folder has, and those of them that were judged. */
  readonly mutants: number;
  readonly judged: number;
  readonly counts: Readonly<Record<Fate, number>>;
  /** Share of the judged that were noticed, with its 95 % interval; at least this while some are pending. */
  readonly score: number;
  readonly interval: Interval;
  readonly seconds: number;
  readonly survivors: readonly Survivor[];
}

const gravity: readonly Status[] = ["killed", "timeout", "capped", "survived", "uncovered"];

/** One for both waves, by mutant: noticed by either, capped in either, asked in either. */
export function statuses(verdicts: readonly Verdict[]): Map<string, { near?: Status; far?: Status; all?: Status }> {
  const found = new Map<string, { near?: Status; far?: Status; all?: Status }>();
  for (const { key, wave, status } of verdicts) found.set(key, { ...found.get(key), [wave]: status });
  for (const waves of found.values()) {
    const known = gravity.filter((status) => status === waves.near || status === waves.far);
    const isNoticed = known[0] === "killed" || known[0] === "timeout";
    if (isNoticed || waves.far !== undefined) waves.all = known[0]!;
  }
  return found;
}

/** Mutants without any verdict are left out: the order of a sample is random, so those that have one are a sample, too. */
export function scoreOf(
  folder: string,
  mutants: number,
  sample: readonly Mutant[],
  verdicts: readonly Verdict[],
  reasons: Readonly<Record<string, string>>,
): FolderScore {
  const found = statuses(verdicts);
  const inOrder = [...sample].sort((a, b) => (a.file === b.file ? a.start - b.start : a.file < b.file ? -1 : 1));
  const judged = inOrder.flatMap((mutant) => {
    const waves = found.get(mutant.key);
    return waves ? [{ mutant, status: waves.all ?? ("pending" as const) }] : [];
  });
  const counts = { killed: 0, timeout: 0, survived: 0, uncovered: 0, capped: 0, pending: 0 };
  for (const { status } of judged) counts[status]++;
  const noticed = counts.killed + counts.timeout;
  const keys = new Set(judged.map(({ mutant }) => mutant.key));
  const seconds = verdicts.filter(({ key }) => keys.has(key)).reduce((sum, verdict) => sum + verdict.seconds, 0);
  return {
    folder,
    mutants,
    judged: judged.length,
    counts,
    score: noticed / Math.max(judged.length, 1),
    interval: wilsonInterval(noticed, judged.length),
    seconds: Math.round(seconds),
    survivors: judged
      .filter(({ status }) => status !== "killed" && status !== "timeout")
      .map(({ mutant, status }) => survivor(mutant, status, reasons[mutant.key])),
  };
}

function survivor({ file, line, operator, original, mutated }: Mutant, status: Fate, reason?: string): Survivor {
  const change = `${oneLine(original)} → ${mutated === "" ? "(nothing)" : oneLine(mutated)}`;
  return { at: `${file}:${line}`, operator, change, status, ...(reason === undefined ? {} : { reason }) };
}

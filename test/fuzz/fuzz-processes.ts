/**
 * @file Many cases of changed fields in child processes: a case that ends its process or does not end is known by its number, and the others
 * go on.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { CaseReport } from "./fuzz-fields.ts";

export interface FieldsReport {
  readonly cases: number;
  /** How many stages ended in each way. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Cases whose model was valid after the change. */
  readonly valid: number;
  /** What must not happen, with the number of the case. */
  readonly failures: readonly string[];
  readonly slowestMs: number;
  readonly slowest: string;
}

/** What a child is told to do, and what it tells: the number of a case before it, its report after it. */
export interface Work {
  readonly from: number;
  readonly to: number;
  readonly seed: number;
}
export type Told = { readonly began: number } | { readonly ended: number; readonly report: CaseReport };

/** A case that takes longer is killed. */
const MAX_MS = 60_000;

/** Runs the cases `from … to − 1` one after another; after a case that died the next one starts a new process. */
export async function fuzzFields({ from, to, seed }: Work): Promise<FieldsReport> {
  const sum = emptySum();
  for (let next = from; next < to; ) {
    const died = await runUntilDeath({ from: next, to, seed }, (told) => sum.take(told));
    if (died === undefined) break;
    sum.fail(`case ${died.case}: ${died.how}`);
    next = died.case + 1;
  }
  return sum.report(to - from);
}

interface Death {
  readonly case: number;
  readonly how: string;
}

function runUntilDeath(work: Work, take: (told: Told) => void): Promise<Death | undefined> {
  const child: ChildProcess = fork(fileURLToPath(new URL("fields-process.ts", import.meta.url)), [], {
    serialization: "advanced",
  });
  let at = work.from;
  let how: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    how = `no end within ${MAX_MS / 1000} s`;
    child.kill("SIGKILL");
  };
  child.on("message", (told: Told) => {
    clearTimeout(timer);
    if ("began" in told) {
      at = told.began;
      timer = setTimeout(kill, MAX_MS);
    } else take(told);
  });
  child.send(work);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      resolve(code === 0 ? undefined : { case: at, how: how ?? `the process ended with ${signal ?? `code ${code}`}` });
    });
  });
}

function emptySum() {
  const outcomes = new Map<string, number>();
  const failures: string[] = [];
  let slowest = { ms: 0, text: "" };
  let valid = 0;
  return {
    take(told: Told): void {
      if (!("report" in told)) return;
      const { report } = told;
      if (report.outcomes.verify === "done") valid++;
      for (const outcome of Object.values(report.outcomes)) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      for (const failure of report.failures) failures.push(`case ${told.ended}: ${failure}`);
      const { stage, ms } = report.slowest;
      if (ms > slowest.ms) slowest = { ms, text: `case ${told.ended}, ${stage}` };
    },
    fail: (failure: string) => void failures.push(failure),
    report: (cases: number): FieldsReport => ({
      cases,
      outcomes: Object.fromEntries([...outcomes].sort()),
      valid,
      failures,
      slowestMs: Math.round(slowest.ms),
      slowest: slowest.text,
    }),
  };
}

/** @file What an acceleration has done so far: told as events, kept for the result. */

import type { Warning } from "../measure/index.ts";
import { checkCancelled } from "../runtime/index.ts";
import type { AccelerateEvent } from "./events.ts";
import type { CandidateResult, MeasuredComparison, StageResult } from "./result.ts";

export interface Journal {
  readonly stages: readonly StageResult[];
  readonly warnings: readonly Warning[];
  /** By form, in the order in which they were first settled. */
  readonly results: ReadonlyMap<string, CandidateResult>;
  readonly emit: (event: AccelerateEvent) => void;
  /** Announces `work`, does it, and notes how long it took. */
  stage<T>(name: string, work: () => Promise<T>): Promise<T>;
  note(stage: StageResult): void;
  settle(result: CandidateResult): void;
  refuse(form: string, reason: string, comparison?: MeasuredComparison): void;
  warn(code: string, message: string): void;
  /** Warns of what has not been warned of under its code. */
  doubt(warnings: readonly Warning[]): void;
}

export function openJournal(emit: (event: AccelerateEvent) => void, signal: AbortSignal): Journal {
  const stages: StageResult[] = [];
  const warnings: Warning[] = [];
  const results = new Map<string, CandidateResult>();
  const settle = (candidate: CandidateResult): void => {
    results.set(candidate.form, candidate);
    emit({ type: "candidate", candidate });
  };
  const warn = (code: string, message: string): void => {
    warnings.push({ code, message });
    emit({ type: "warning", code, message });
  };
  return {
    stages,
    warnings,
    results,
    emit,
    settle,
    async stage(name, work) {
      checkCancelled(signal);
      emit({ type: "stage", name, detail: "" });
      const began = performance.now();
      const result = await work();
      stages.push({ name, milliseconds: performance.now() - began, notes: [] });
      return result;
    },
    note: (stage) => void stages.push(stage),
    refuse(form, reason, comparison) {
      settle({ form, accepted: false, reason, onFront: false, ...(comparison && { comparison }) });
    },
    warn,
    doubt(found) {
      for (const { code, message } of found) if (warnings.every((known) => known.code !== code)) warn(code, message);
    },
  };
}

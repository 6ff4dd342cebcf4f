/** @file What an acceleration says while it works. */
import type { MissedEvents } from "../runtime/index.ts";
import type { CandidateResult } from "./result.ts";

export type AccelerateEvent =
  | MissedEvents
  | { readonly type: "stage"; readonly name: string; readonly detail: string }
  | {
      readonly type: "progress";
      readonly stage: string;
      readonly done: number;
      readonly total: number;
      readonly detail: string;
    }
  | { readonly type: "candidate"; readonly candidate: CandidateResult }
  | { readonly type: "warning"; readonly code: string; readonly message: string };

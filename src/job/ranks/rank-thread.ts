/** @file What a job and the threads that are its ranks tell each other. Node only. */
import type { RankPorts } from "../../distributed/index.ts";
import type { Outcome, ProgressEvent } from "../console.ts";

/** What a thread is started with. */
export interface RankData {
  readonly litheRank: number;
  readonly ports: RankPorts;
  /** The command and its words. */
  readonly words: readonly string[];
}

export type RankMessage =
  | { readonly type: "say"; readonly line: string }
  | { readonly type: "progress"; readonly event: ProgressEvent }
  | { readonly type: "done"; readonly outcome: Outcome }
  | { readonly type: "failed"; readonly name: string; readonly message: string };

/** Whether a thread was started as a rank. */
export function isRankData(data: unknown): data is RankData {
  return typeof data === "object" && data !== null && "litheRank" in data;
}

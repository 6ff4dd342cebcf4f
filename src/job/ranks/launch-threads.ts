/** @file Ranks as threads of this process, from start to end. Node only. */
import { MessagePort as NodePort, Worker } from "node:worker_threads";
import { nth } from "../../checked.ts";
import { deadlineIn, limitedSignal } from "../../deadline.ts";
import { portsBetween } from "../../distributed/index.ts";
import { CancelledError, RuntimeError, UsageError } from "../../errors.ts";
import type { Console, Outcome } from "../console.ts";
import type { RankData, RankMessage } from "./rank-thread.ts";

export interface RankJob {
  /** The file that a thread runs. */
  readonly entry: string;
  /** The command and its words, the same for all. */
  readonly words: readonly string[];
  readonly ranks: number;
}

/** Milliseconds in which the others end by themselves when a rank has failed. */
const GRACE = 3000;

interface Failure {
  readonly rank: number;
  readonly name: string;
  readonly message: string;
}

/** How a rank ended. */
type End = { readonly outcome: Outcome } | { readonly failure: Failure };

/**
 * What rank 0 came to, once all have ended. What it says is said here.
 *
 * @throws RuntimeError that names the rank that failed and why; UsageError where the words are wrong; CancelledError
 */
export async function launchThreads(job: RankJob, console: Console): Promise<Outcome> {
  const threads = startedThreads(job);
  const abort = (): void => {
    for (const thread of threads) thread.postMessage("abort");
  };
  console.signal.addEventListener("abort", abort, { once: true });
  const failures: Failure[] = [];
  const failed = new AbortController();
  const ends = threads.map(async (thread, rank) => {
    const end = await endOf(thread, rank, console);
    if (!("failure" in end)) return end.outcome;
    failures.push(end.failure);
    failed.abort();
    return undefined;
  });
  const all = Promise.all(ends);
  try {
    await Promise.race([all, aborted(failed.signal)]);
    if (failures.length === 0) return (await all)[0] ?? { result: {} };
    using grace = limitedSignal(new AbortController().signal, deadlineIn(GRACE));
    await Promise.race([all, aborted(grace.signal)]);
    throw failureOf(failures);
  } finally {
    console.signal.removeEventListener("abort", abort);
    await Promise.all(threads.map((thread) => thread.terminate()));
  }
}

function startedThreads({ entry, words, ranks }: RankJob): Worker[] {
  return portsBetween(ranks).map((ports, litheRank) => {
    const workerData: RankData = { litheRank, ports, words };
    const transferList = ports.filter((port) => port instanceof NodePort);
    return new Worker(entry, { workerData, transferList });
  });
}

function endOf(thread: Worker, rank: number, { say, progress }: Console): Promise<End> {
  return new Promise((resolve) => {
    const fail = (name: string, message: string): void => resolve({ failure: { rank, name, message } });
    thread.on("message", (message: RankMessage) => {
      if (message.type === "done") resolve({ outcome: message.outcome });
      else if (message.type === "failed") fail(message.name, message.message);
      else if (rank > 0) return;
      else if (message.type === "say") say(message.line);
      else progress(message.event);
    });
    thread.on("error", ({ name, message }) => fail(name, message));
    thread.on("exit", () => fail("Error", "its thread ended"));
  });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** The first failure that is no consequence of another one. */
function failureOf(failures: readonly Failure[]): Error {
  const own = failures.filter(({ name }) => name !== "RankLostError");
  const { rank, name, message } = nth(own.length > 0 ? own : failures, 0);
  const cancelled = failures.find((each) => each.name === "CancelledError");
  if (cancelled) return new CancelledError(cancelled.message);
  if (name === "UsageError") return new UsageError(message);
  return new RuntimeError(`rank ${rank} failed`, {
    got: `${name}: ${message}`,
    hint: "The same command with --resume goes on from the last checkpoint, and --restarts does so by itself.",
  });
}

/** @file The calls that a session awaits an answer to, the time that each may take, and what an end means for them. */
import { LimitError, type LitheError, RuntimeError } from "../errors.ts";
import type { CallName, End } from "./protocol.ts";

interface Pending {
  readonly call: CallName;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: LitheError) => void;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** When the call was made, or when one of its runs ended last. */
  since: number;
}

/** Milliseconds for loading and for one run. */
export interface TimeLimit {
  readonly load: number;
  readonly run: number;
  /** Whether runs may take longer after one that took long. */
  readonly grows: boolean;
}

/** What errors say of the model. */
export interface Subject {
  readonly name?: string | undefined;
  /** What it is run for. */
  readonly step?: string | undefined;
}

/** How many times longer a run may take than the slowest before it. */
const GROWTH = 10;

/** Milliseconds for an answer that is there but was not read, because this process was busy. */
const GRACE = 200;

export class PendingCalls {
  readonly #time: TimeLimit | undefined;
  readonly #subject: Subject;
  readonly #onLate: (error: LitheError) => void;
  readonly #calls = new Map<number, Pending>();
  #next = 0;
  #slowest = 0;

  /** @param onLate told when a call has taken too long; without a time limit none does. */
  constructor(time: TimeLimit | undefined, subject: Subject, onLate: (error: LitheError) => void) {
    this.#time = time;
    this.#subject = subject;
    this.#onLate = onLate;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** The number under which the call is answered. */
  add(call: CallName, resolve: Pending["resolve"], reject: Pending["reject"]): number {
    const id = this.#next++;
    const pending: Pending = { call, resolve, reject, timer: undefined, since: performance.now() };
    this.#calls.set(id, pending);
    this.#watch(pending);
    return id;
  }

  /** One of the runs of a call has ended. */
  advance(id: number): void {
    const pending = this.#calls.get(id);
    if (!pending) return;
    this.#record(pending);
    this.#watch(pending);
  }

  take(id: number): Pending | undefined {
    const pending = this.#calls.get(id);
    if (!pending) return undefined;
    this.#record(pending);
    this.#calls.delete(id);
    return pending;
  }

  rejectAll(error: LitheError): void {
    for (const id of [...this.#calls.keys()]) this.take(id)?.reject(error);
  }

  /** What it means for the calls that the other side came to this end. */
  endedBy({ reason, limit }: End): LitheError {
    const [pending] = this.#calls.values();
    const where = this.where(pending?.call);
    if (limit === "start") return lateStart(reason, where);
    if (limit !== "memory") return new RuntimeError("the runtime ended", { got: reason, where });
    return new LimitError("the model took too much memory and its process was ended", {
      got: reason,
      where,
      hint: "If the machine has more, raise limits.memory (--memory-limit on the command line).",
    });
  }

  /** What the model was doing. */
  where(call: CallName | undefined): string {
    const { name, step } = this.#subject;
    const model = name === undefined ? "the model" : `model ${JSON.stringify(name)}`;
    return `${call === "open" ? "loading" : "running"} ${model}${step === undefined ? "" : `, step ${JSON.stringify(step)}`}`;
  }

  #watch(pending: Pending): void {
    const time = this.#time;
    if (!time) return;
    const longest = time.grows ? Math.max(time.run, GROWTH * this.#slowest) : time.run;
    const limit = pending.call === "open" ? time.load : longest;
    pending.timer = setTimeout(() => {
      pending.timer = setTimeout(() => this.#onLate(this.#late(pending.call, limit)), GRACE);
    }, limit);
  }

  #record(pending: Pending): void {
    const now = performance.now();
    if (pending.call !== "open") this.#slowest = Math.max(this.#slowest, now - pending.since);
    pending.since = now;
    clearTimeout(pending.timer);
  }

  #late(call: CallName, limit: number): LitheError {
    return new LimitError("the model took too long and its process was ended", {
      expected: `at most ${Number((limit / 1000).toPrecision(3))} s for ${call === "open" ? "loading" : "one run"}`,
      where: this.where(call),
      hint: "If it is slow and not endless, raise limits.time (--time-limit on the command line).",
    });
  }
}

/** The error of a runtime that is not ready in the time that it has in a browser. */
export function lateStart(got: string, where: string): LimitError {
  return new LimitError("the runtime did not start in time", {
    got,
    where,
    hint: 'Give { assets: URL } with a folder that holds onnxruntime-web/dist, or build workers as modules (Vite: worker: { format: "es" }); where downloads are slow, raise startLimit.',
  });
}

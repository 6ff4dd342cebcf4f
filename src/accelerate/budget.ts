/** @file The time of a job: most of it goes into choosing, the rest is kept for verifying. */
import { type Clock, type Deadline, deadlineIn, isPast, partOf } from "../deadline.ts";

/** Shares of the time at which reading the samples ends, the last form is begun, and choosing ends. */
export const SHARES = { reading: 0.2, lastStart: 0.7, choosing: 0.8 } as const;

/** The share that the samples of one form may take while choosing. */
const SAMPLES = 0.1;

/** The share of what is left that verifying one form may take: providers come after it, and the next form where it fails. */
const VERIFYING = 0.75;

/** Runs of the original that fit into the time of a form: as many rounds as an interval needs, and two more, of two models in three sessions each. */
const TIMED_RUNS = 24;

/** What a form takes beside its samples, over its timing: opening, warming up, a machine that others use. */
const SLACK = 1.5;

/** Seconds from which a run is slow. */
const SLOW = 0.05;

/** Forms that are built in seconds, which a budget should have room for. */
const FORMS = 7;

export interface Budget {
  readonly seconds: number;
  readonly reading: Deadline;
  readonly choosing: Deadline;
  readonly whole: Deadline;
  /** The share that is spent. */
  spent(): number;
}

export function openBudget(seconds: number, clock?: Clock): Budget {
  const at = (share: number): Deadline => deadlineIn(share * seconds * 1000, clock);
  const whole = at(1);
  return {
    seconds,
    reading: at(SHARES.reading),
    choosing: at(SHARES.choosing),
    whole,
    spent: () => 1 - whole.left() / (seconds * 1000),
  };
}

/** What one run of the original on one batch tells about the rest. */
export interface Pace {
  /** Seconds that the run took. */
  readonly run: number;
  /** Seconds that went by until then. */
  readonly before: number;
  /** Batches to choose on. */
  readonly batches: number;
}

/** Seconds of timing for a form. */
export function timingSeconds({ seconds }: Pick<Budget, "seconds">, { run }: Pick<Pace, "run">): number {
  return Math.max(1, seconds / 40, TIMED_RUNS * run);
}

/** When measuring a form that begins now ends. */
export function measuringEnd(budget: Budget, pace: Pace, phase: "choosing" | "verifying"): Deadline {
  if (phase === "verifying") return partOf(budget.whole, VERIFYING);
  const { choosing, seconds } = budget;
  const share = (1000 * (SAMPLES * seconds + SLACK * timingSeconds(budget, pace))) / Math.max(1, choosing.left());
  return share < 1 ? partOf(choosing, share) : choosing;
}

/** Runs before those that count; slow models had enough of them when their answers were compared. */
export function warmupOf({ run }: Pick<Pace, "run">): number {
  return run > SLOW ? 1 : 3;
}

export function isTooLate({ choosing, spent }: Budget): boolean {
  return spent() > SHARES.lastStart || isPast(choosing);
}

/** Seconds in which the quick forms are measured and one is verified, by estimate, when cleaning takes `cleanup` of them. */
export function enoughSeconds(budget: Budget, pace: Pace, cleanup: number): number {
  const form = 2 * pace.run * pace.batches + SLACK * timingSeconds(budget, pace);
  const choosing = (pace.before + cleanup + FORMS * form) / SHARES.lastStart;
  const verifying = form / (VERIFYING * (1 - SHARES.choosing));
  return 10 * Math.ceil(Math.max(2 * budget.seconds, choosing, verifying) / 10);
}

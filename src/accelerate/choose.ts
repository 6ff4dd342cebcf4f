/** @file Which candidate wins: the bound, the Pareto front, the goal. Figures in, decision out. */

export const goals = ["latency", "size", "balanced"] as const;
export type Goal = (typeof goals)[number];

/** A candidate's figures against the original. */
export interface Figures {
  readonly form: string;
  /** Bytes of the original over bytes of the candidate. */
  readonly sizeRatio: number;
  /** Latency of the original over latency of the candidate, and its 95 % interval. */
  readonly latencyRatio: number;
  readonly latencySpread: readonly [number, number];
  /** In which latency was measured, of all sessions together; more than enough when absent, as in runs that earlier versions kept. */
  readonly rounds?: number;
  /** What is lost, in the measure of the bound; 0 is nothing, negative is a gain. */
  readonly drop: number;
  /** What it computes otherwise than the original, in sentences: such a candidate is no form of it, whatever it loses. */
  readonly faults?: readonly string[];
}

export interface Decision {
  readonly accepted: boolean;
  readonly reason: string;
}

/** What a candidate has to hold. */
export interface Bound {
  readonly maxDrop: number;
  readonly goal: Goal;
  /** With the goal size: how much longer than the original it may take, as a share; default 0. */
  readonly maxSlowdown?: number;
}

/** The smallest and the largest of n values hold their median with a probability of 1 − 2^(1 − n): fewer than six allow no 95 % interval. */
export const FEWEST_ROUNDS = 6;

/**
 * Whether a candidate may be handed out: within the bound and faster than the original by the whole interval; with the goal size smaller
 * instead, and slower by the whole interval never, but for `maxSlowdown`.
 */
export function decide(figures: Figures, { maxDrop, goal, maxSlowdown = 0 }: Bound): Decision {
  const { drop, latencyRatio, latencySpread, sizeRatio, rounds = FEWEST_ROUNDS, faults = [] } = figures;
  if (faults.length > 0) return refuse(`computes something else: ${faults.join("; ")}`);
  const interval = `95 % interval ${latencySpread.map((bound) => bound.toFixed(2)).join(" to ")}`;
  if (!(drop <= maxDrop)) return refuse(`loses ${percent(drop)}, more than the bound of ${percent(maxDrop)}`);
  if (rounds < FEWEST_ROUNDS)
    return refuse(`too few rounds of timing before the time ended: ${rounds} of ${FEWEST_ROUNDS}`);
  if (goal === "size") {
    if (latencySpread[1] < 1 / (1 + maxSlowdown))
      return refuse(`slower than the original: speed ${latencyRatio.toFixed(2)}× (${interval})`);
    if (sizeRatio <= 1) return refuse(`not smaller than the original: ${sizeRatio.toFixed(2)}×`);
  } else if (latencySpread[0] <= 1) {
    return refuse(
      `${latencySpread[1] < 1 ? "slower" : "not certainly faster"} than the original: speed ${latencyRatio.toFixed(2)}× (${interval})`,
    );
  }
  return {
    accepted: true,
    reason: `${timesBetter(latencyRatio, "faster", "slower")}, ${timesBetter(sizeRatio, "smaller", "larger")}, ${lossInWords(drop)}`,
  };
}

/** Candidates that no other beats in size, latency and drop at once. */
export function paretoFront<F extends Figures>(candidates: readonly F[]): F[] {
  return candidates.filter((a) => !candidates.some((b) => b !== a && dominates(b, a)));
}

function dominates(a: Figures, b: Figures): boolean {
  const atLeast = a.sizeRatio >= b.sizeRatio && a.latencyRatio >= b.latencyRatio && a.drop <= b.drop;
  return atLeast && (a.sizeRatio > b.sizeRatio || a.latencyRatio > b.latencyRatio || a.drop < b.drop);
}

/** Accepted candidates, best first under the goal; ties go to the smaller drop. */
export function ranked<F extends Figures>(candidates: readonly F[], bound: Bound): F[] {
  const accepted = candidates.filter((figures) => decide(figures, bound).accepted);
  return accepted.sort((a, b) => worth(b, bound) - worth(a, bound) || a.drop - b.drop);
}

/** What a candidate is worth under the goal; -∞ where it may not be handed out. */
export function worth(figures: Figures, bound: Bound): number {
  return decide(figures, bound).accepted ? score(figures, bound.goal) : Number.NEGATIVE_INFINITY;
}

/** Logarithmic, so that "balanced" weighs a doubling of speed like a doubling of smallness. */
function score({ latencyRatio, sizeRatio }: Figures, goal: Goal): number {
  const speed = Math.log(latencyRatio);
  const size = Math.log(sizeRatio);
  return { latency: speed, size, balanced: speed + size }[goal];
}

function refuse(reason: string): Decision {
  return { accepted: false, reason };
}

/** A ratio as people say it: `2.00× faster`, `1.25× slower`. */
function timesBetter(ratio: number, better: string, worse: string): string {
  return ratio >= 1 ? `${ratio.toFixed(2)}× ${better}` : `${(1 / ratio).toFixed(2)}× ${worse}`;
}

function lossInWords(drop: number): string {
  return drop < 0 ? `gains ${percent(-drop)}` : `loses ${percent(drop)}`;
}

export function percent(part: number, digits = 2): string {
  return `${(100 * part).toFixed(digits)} %`;
}

/** @file A process of comparisons: prints those of a pair with these seeds as JSON; arguments are the shared folder, the pair, the first seed and their number. */
import { compareLatency, HORIZON, type LatencyComparison, openReplicated } from "../../src/measure/index.ts";
import { openSession } from "../../src/runtime/index.ts";
import { pairs, selves } from "./pairs.ts";

/** As `lithe accelerate` times a form while choosing. */
const TIMING = { rounds: 30, seconds: 3, horizon: HORIZON };

export interface Trial extends Pick<LatencyComparison, "ratio" | "spread" | "verdict" | "rounds"> {
  /** Milliseconds of A. */
  readonly p50: number;
}

const [shared = "", wanted, first = "0", count = "0"] = process.argv.slice(2);
const pair = [...selves, ...pairs].find(({ name }) => name === wanted);
if (!pair) throw new Error(`there is no pair ${wanted}`);
const { a, b, feeds } = await pair.load(shared);
const trials: Trial[] = [];
while (trials.length < Number(count)) trials.push(await trial(Number(first) + trials.length));
console.log(JSON.stringify(trials));

/** With sessions of its own, since where they lie in memory is part of what varies. */
async function trial(seed: number): Promise<Trial> {
  await using first = await openReplicated(openSession, a, 0, { stock: true });
  await using second = await openReplicated(openSession, b, 0, { stock: true });
  const sides = [first, second].map(({ session, replicas }) => [session, ...replicas]);
  const found = await compareLatency(sides[0]!, sides[1]!, feeds, { ...TIMING, seed });
  const { ratio, spread, verdict, rounds } = found;
  return { ratio, spread, verdict, rounds, p50: found.a.p50 };
}

import { describe, expect, it } from "vitest";
import { denseFeeds, denseModel, loopFeeds, loopModel } from "../../test/models.ts";
import { CancelledError, UsageError } from "../errors.ts";
import { type Feeds, openSession, type Session } from "../runtime/index.ts";
import { benchmark, profileNodes } from "./benchmark.ts";
import { compareSessions } from "./compare.ts";
import { compareLatency } from "./latency.ts";
import { HORIZON } from "./verdict.ts";

describe("benchmark", () => {
  it("orders its quantiles and counts its rounds", async () => {
    await using session = await openSession(denseModel());
    const result = await benchmark(session, denseFeeds(4), { warmup: 2, rounds: 20, batch: 4 });
    expect(result.rounds).toBe(20);
    expect(result.min).toBeLessThanOrEqual(result.p50);
    expect(result.p50).toBeLessThanOrEqual(result.p95);
    expect(result.throughput).toBeCloseTo(4000 / result.mean, 6);
    expect(result.firstRun).toBeGreaterThan(0);
    expect(result.peakMemory).toBeGreaterThan(2 ** 20);
  });

  it("ends after its seconds, with one round at least", async () => {
    await using session = await openSession(loopModel());
    const { rounds } = await benchmark(session, loopFeeds(50), { warmup: 0, rounds: 1e9, seconds: 0.05 });
    expect(rounds).toBeGreaterThan(0);
    expect((await benchmark(session, loopFeeds(50), { warmup: 0, seconds: 0 })).rounds).toBe(1);
  });

  it("can be cancelled between rounds", async () => {
    await using session = await openSession(denseModel());
    await expect(benchmark(session, denseFeeds(), { signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  });

  it("profiles by node", async () => {
    const nodes = await profileNodes(openSession, denseModel(), denseFeeds(), { rounds: 4 });
    expect(nodes.length).toBeGreaterThan(0);
    expect(nodes.every(({ calls }) => calls === 5)).toBe(true);
  });
});

/** A session whose runs take what `time` says of the input and the number of runs before; `log` remembers who ran on which. */
function scripted(name: string, time: (input: number, run: number) => number, log: string[] = []): Session {
  let runs = 0;
  const inputs: Feeds[] = [];
  const unused = () => Promise.reject(new Error("not asked for"));
  return {
    ...{ ep: "cpu", inputs: [], outputs: [], loadTime: 0, run: unused, profile: unused, release: unused },
    async time(feeds, rounds) {
      if (!inputs.includes(feeds)) inputs.push(feeds);
      const input = inputs.indexOf(feeds);
      const times = Array.from({ length: rounds }, () => time(input, runs++));
      log.push(`${name}${input}`);
      return { times, firstRun: times[0] ?? 0, processor: times.length };
    },
    async [Symbol.asyncDispose]() {},
  };
}

const constantly = (name: string, time: number, log?: string[]): Session => scripted(name, () => time, log);
const some = (count: number): Feeds[] => Array.from({ length: count }, () => new Map());

describe("compareLatency", () => {
  it("measures a ratio above 1 for a faster B, and its inverse the other way round", async () => {
    await using a = await openSession(loopModel());
    await using b = await openSession(loopModel());
    const feeds = { a: loopFeeds(400), b: loopFeeds(40) };
    const forth = await compareLatency(a, b, feeds, { rounds: 8, slot: 1 });
    const back = await compareLatency(b, a, { a: feeds.b, b: feeds.a }, { rounds: 8, slot: 1 });
    expect([forth.rounds, back.rounds, forth.inputs]).toEqual([8, 8, 1]);
    expect(forth.ratio).toBeGreaterThan(1);
    expect(back.ratio).toBeLessThan(1);
    expect(forth.a.processor).toBeGreaterThan(0);
  });

  it("lets every session run once in a round, in another order each time", async () => {
    const log: string[] = [];
    const [a, b, again] = [constantly("a", 9, log), constantly("b", 9, log), constantly("c", 9, log)];
    await compareLatency([a, again], b, new Map(), { rounds: 30, warmup: 1, seed: 7 });
    const rounds = Array.from({ length: 30 }, (_, i) => log.slice(3 + 3 * i, 6 + 3 * i));
    expect(log.slice(0, 3)).toEqual(["a0", "c0", "b0"]);
    for (const round of rounds) expect(round.toSorted()).toEqual(["a0", "b0", "c0"]);
    expect(new Set(rounds.map((round) => round.join(""))).size).toBe(6);
  });

  it("says the ratio of the medians of rounds, and what further sessions make of it", async () => {
    const a = scripted("a", (_, run) => [10, 10, 30][run % 3]!);
    const b = constantly("b", 5);
    const options = { rounds: 30, warmup: 3, slot: 1 };
    expect(await compareLatency(a, b, new Map(), options)).toMatchObject({
      ...{ ratio: expect.closeTo(2, 9), rounds: 30, sessions: 1 },
    });
    const times = (...all: readonly number[]) => all.map((time) => constantly("s", time));
    const sure = await compareLatency(times(10, 10, 10), times(5, 5, 5), new Map(), options);
    expect(sure).toMatchObject({ verdict: "faster", sessions: 3 });
    expect(sure.spread[0]).toBeCloseTo(2, 9);
    const unsure = await compareLatency(times(10, 10, 25), times(5, 5, 9), new Map(), options);
    expect(unsure.ratio).toBeCloseTo((250 / 22.5) ** (1 / 3) * (10 / 10) ** (1 / 3), 1);
    expect(unsure.verdict).toBe("unclear");
    expect(unsure.b).toMatchObject({ p50: 5, mean: 19 / 3 });
    await expect(compareLatency([], b, new Map())).rejects.toThrow(UsageError);
  });

  it("times all sides on the same inputs in turn, and compares what they take in all", async () => {
    const log: string[] = [];
    const a = constantly("a", 4, log);
    const b = scripted("b", (input) => (input === 0 ? 1 : 9), log);
    const feeds = some(3);
    const found = await compareLatency(a, b, feeds, { rounds: 6, warmup: 1, slot: 4 });
    expect(found.ratio).toBeCloseTo((6 * 4) / (2 * 1 + 4 * 9), 9);
    expect(found).toMatchObject({ inputs: 3, a: { mean: 4 }, b: { p50: 9 } });
    expect(found.b.mean).toBeCloseTo(38 / 6, 9);
    const ofRounds = log.slice(2).map((entry) => entry.slice(1));
    expect(ofRounds).toEqual([0, 1, 2, 0, 1, 2].flatMap((input) => Array<string>(2).fill(String(input))));
    const many = await compareLatency(a, b, some(7), { rounds: 2, warmup: 1, slot: 12 });
    expect(many.inputs).toBe(6);
    await expect(compareLatency(a, b, { a: feeds, b: some(2) })).rejects.toThrow(/same number of inputs.*3 and 2/);
    await expect(compareLatency(a, b, [])).rejects.toThrow(UsageError);
  });

  it("ends when the horizon is settled, or the sessions are further apart than rounds could tell, and otherwise goes on", async () => {
    const roundsOf = async (b: readonly number[], horizon = HORIZON): Promise<number> => {
      const sides = [constantly("a", 100), b.map((time) => constantly("b", time))] as const;
      return (await compareLatency(...sides, new Map(), { rounds: 40, slot: 1, horizon })).rounds;
    };
    expect(await roundsOf([50])).toBe(10);
    expect(await roundsOf([100.5])).toBe(10);
    const noisy = scripted("b", (_, run) => [90, 115][run % 2]!);
    const unsettled = await compareLatency(constantly("a", 100), noisy, new Map(), {
      rounds: 40,
      slot: 1,
      horizon: HORIZON,
    });
    expect(unsettled.rounds).toBe(40);
    expect(await roundsOf([80, 120])).toBe(10);
  });
});

it("ends at its deadline with the rounds so far, after one warm-up run of each where that is past", async () => {
  let runs = 0;
  let end = 0;
  const counted = (name: string): Session => {
    const session = constantly(name, 9);
    return {
      ...session,
      time(feeds, rounds) {
        runs += rounds;
        return session.time(feeds, rounds);
      },
    };
  };
  const until = async (most: number) => {
    [runs, end] = [0, most];
    const options = { rounds: 10, warmup: 3, slot: 1, deadline: { left: () => end - runs } };
    const { rounds } = await compareLatency(counted("a"), counted("b"), new Map(), options);
    return [rounds, runs];
  };
  expect(await until(1000)).toEqual([10, 26]);
  expect(await until(9)).toEqual([2, 10]);
  expect(await until(0)).toEqual([1, 4]);
});

it("compares two sessions in the shape of the report", async () => {
  await using session = await openSession(denseModel());
  await using other = await openSession(denseModel(1.1));
  const options = {
    threads: 1,
    batch: 2,
    feeds: denseFeeds(),
    batches: [{ feeds: denseFeeds(), labels: [0, 1] }],
    rounds: 3,
  };
  const found = await compareSessions({ session, bytes: 200 }, { session: other, bytes: 100 }, options);
  expect(found.size).toEqual({ a: 200, b: 100, ratio: 2 });
  expect(Object.keys(found.latency)).toEqual([
    ...["ep", "threads", "batch", "a", "b", "ratio", "spread", "verdict", "rounds", "inputs", "sessions"],
  ]);
  expect(Object.keys(found.agreement)).toEqual([
    "n",
    "maxAbs",
    "relative",
    "cosine",
    "top1",
    "lost",
    "perOutput",
    "missing",
    "build",
  ]);
  expect(found.agreement.build).toMatch(/^onnxruntime-node \d/);
  expect(found.accuracy?.n).toBe(2);
});

import { describe, expect, it } from "vitest";
import { denseFeeds, denseModel, loopFeeds, loopModel } from "../../test/models.ts";
import { CancelledError } from "../errors.ts";
import { benchmark, profileNodes } from "./benchmark.ts";
import { compareSessions } from "./compare.ts";
import { compareLatency } from "./latency.ts";
import { openSession } from "./open.ts";
import type { Session } from "./session.ts";

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

describe("compareLatency", () => {
  it("measures a ratio above 1 for a faster B, and its inverse the other way round", async () => {
    await using a = await openSession(loopModel());
    await using b = await openSession(loopModel());
    const feeds = { a: loopFeeds(400), b: loopFeeds(100) };
    const forth = await compareLatency(a, b, feeds, { rounds: 8, slot: 1 });
    expect(forth.ratio).toBeGreaterThan(2);
    expect(forth.spread[0]).toBeLessThanOrEqual(forth.ratio);
    expect(forth.spread[1]).toBeGreaterThanOrEqual(forth.ratio);
    expect(forth.rounds).toBe(8);
    const back = await compareLatency(b, a, { a: feeds.b, b: feeds.a }, { rounds: 8, slot: 1 });
    expect(back.ratio).toBeLessThan(0.5);
  });
});

it("ends at its deadline with the rounds so far, after one warm-up run of each where that is past", async () => {
  await using session = await openSession(denseModel());
  let runs = 0;
  let end = 0;
  const counted: Session = Object.assign(Object.create(session) as Session, {
    ...{ ep: session.ep, inputs: session.inputs, outputs: session.outputs, loadTime: session.loadTime },
    run: session.run,
    hold: undefined,
    time: async (_: unknown, rounds: number) => {
      runs += rounds;
      return { times: new Array<number>(rounds).fill(9), firstRun: 9 };
    },
  });
  const until = async (most: number) => {
    [runs, end] = [0, most];
    const options = { rounds: 10, warmup: 3, slot: 1, deadline: { left: () => end - runs } };
    const { rounds } = await compareLatency(counted, counted, denseFeeds(), options);
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
  expect(Object.keys(found.latency)).toEqual(["ep", "threads", "batch", "a", "b", "ratio", "spread", "rounds"]);
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

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CancelledError, FormatError, UsageError } from "../errors.ts";
import { searchJournal } from "./files.ts";
import {
  choices,
  evolution,
  exhaustive,
  halvingRungs,
  listed,
  memoryStore,
  randomSearch,
  type SearchEvent,
  search,
  successiveHalving,
} from "./index.ts";

const numbers = listed([3, 1, 4, 1, 5], String);
const own = { space: numbers, score: (value: number) => value, evaluate: async (of: number) => of };

describe("search", () => {
  it("tells every trial, once for each key", async () => {
    const events: SearchEvent<number, number>[] = [];
    for await (const event of search({ ...own, strategy: exhaustive() })) events.push(event);
    expect(events).toMatchObject([
      {
        type: "trial",
        trial: { candidate: 3, key: "3", fidelity: 1, value: 3, score: 3 },
        isKept: false,
        evaluations: 1,
      },
      { trial: { key: "1" }, evaluations: 2 },
      { trial: { key: "4" }, evaluations: 3 },
      { trial: { key: "5" }, evaluations: 4, cost: 4 },
    ]);
  });

  it("ends with what an evaluation throws, and with its own cancelling", async () => {
    const fails = (): Promise<number> => Promise.reject(new TypeError("broken"));
    const broken = search({ ...own, strategy: exhaustive(), evaluate: fails });
    await expect(broken.result).rejects.toThrow(TypeError);
    const controller = new AbortController();
    const evaluate = async (of: number) => {
      controller.abort();
      return of;
    };
    const cancelled = search({ ...own, strategy: exhaustive(), evaluate, signal: controller.signal });
    await expect(cancelled.result).rejects.toThrow(CancelledError);
  });

  it("spends what nothing comes of, and does not keep it", async () => {
    const store = memoryStore<number>();
    const evaluate = async (of: number) => (of === 1 ? undefined : of);
    const { trials, cost } = await search({ ...own, strategy: exhaustive(), evaluate, store }).result;
    expect([trials.map(({ key }) => key), cost]).toEqual([["3", "4", "5"], 4]);
    expect([await store.load("1"), await store.load("3")]).toEqual([undefined, 3]);
    const few = { ...own, strategy: exhaustive<number, number>(), evaluate, budget: { evaluations: 2 } };
    expect((await search(few).result).trials).toHaveLength(1);
  });

  it("takes the best of those that were evaluated most thoroughly, whatever others seemed to be", async () => {
    const evaluate = async (of: number, { fidelity }: { readonly fidelity: number }) => of / fidelity;
    const strategy = successiveHalving<number, number>({ least: 1, most: 3 });
    const { best, trials } = await search({ ...own, strategy, evaluate }).result;
    expect(best).toMatchObject({ fidelity: 3 });
    expect(trials.some(({ score }) => score > best!.score)).toBe(true);
  });

  it("aborts the evaluation under way when its time is over", async () => {
    let time = 0;
    const evaluate = async (of: number, { signal }: { readonly signal: AbortSignal }) => {
      if (of === 3) return of;
      if (!signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      time = 2000;
      throw new CancelledError("aborted");
    };
    const timed = { ...own, strategy: exhaustive<number, number>(), evaluate, clock: () => time };
    expect(await search({ ...timed, budget: { seconds: 0.001 } }).result).toMatchObject({
      isComplete: false,
      trials: [{ key: "3" }],
    });
  });

  it("refuses what cannot be", async () => {
    expect(() => search({ ...own, strategy: exhaustive(), budget: { evaluations: 0 } })).toThrow(/evaluations/);
    expect(() => search({ ...own, strategy: exhaustive(), budget: { seconds: Number.NaN } })).toThrow(UsageError);
    await expect(search({ ...own, strategy: evolution() }).result).rejects.toThrow(/needs more[\s\S]*mutate/);
    expect(() => evolution({ parents: 0 })).toThrow(/parents/);
    expect(() => randomSearch({ candidates: 1.5 })).toThrow(/candidates/);
    expect(() => successiveHalving({ least: 3, most: 3 })).toThrow(/rise/);
    expect(() => choices({ places: [["a"], []] })).toThrow(/choice/);
    expect(() => choices({ places: [["a"]], mutation: 0 })).toThrow(/probability/);
  });
});

describe("rungs", () => {
  it("end at most, with a part of the candidates each", () => {
    expect(halvingRungs({ least: 1, most: 10, factor: 2, candidates: 5 })).toEqual([
      { fidelity: 1, candidates: 5 },
      { fidelity: 2, candidates: 2 },
      { fidelity: 4, candidates: 1 },
      { fidelity: 10, candidates: 1 },
    ]);
    // 3 ** 5 has a logarithm that is a little less than five.
    expect(halvingRungs({ least: 1, most: 243 })).toHaveLength(6);
  });
});

describe("choices", () => {
  it("mutate places with their probability, and cross from either parent", async () => {
    const { random } = await import("../data/index.ts");
    const space = choices({ places: Array.from({ length: 2000 }, () => [0, 1]), mutation: 0.25 });
    const draw = random(1);
    const zeros = new Array<number>(2000).fill(0);
    const ones = new Array<number>(2000).fill(1);
    const share = (net: readonly number[]) => net.reduce((sum, each) => sum + each, 0) / net.length;
    // Half of the places that are drawn anew stay as they were.
    expect(share(space.mutate(zeros, draw))).toBeCloseTo(0.125, 1);
    expect(share(space.cross(zeros, ones, draw))).toBeCloseTo(0.5, 1);
    expect(share(space.sample(draw))).toBeCloseTo(0.5, 1);
  });

  it("are all, and the plain one with changes", () => {
    const space = choices({
      places: [
        ["a", "b"],
        ["x", "y", "z"],
      ],
    });
    expect([...space.all()].map((each) => each.join(""))).toEqual(["ax", "ay", "az", "bx", "by", "bz"]);
    expect([...space.parts()].map((each) => each.join(""))).toEqual(["bx", "ay", "az"]);
    expect(space.together([])).toEqual(["a", "x"]);
    expect(
      space.together([
        ["b", "x"],
        ["a", "z"],
      ]),
    ).toEqual(["b", "z"]);
  });
});

describe("the journal", () => {
  let folder = "";
  let path = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lithe-"));
    path = join(folder, "search.jsonl");
  });
  afterEach(() => rm(folder, { recursive: true }));

  it("gives back what was kept, numbers that are not finite too", async () => {
    const journal = await searchJournal<object>(path, { model: "a" });
    await journal.keep("one", { loss: Number.POSITIVE_INFINITY, list: [Number.NaN, 1], other: null });
    const again = await searchJournal<object>(path, { model: "a" });
    expect(await again.load("one")).toEqual({ loss: Number.POSITIVE_INFINITY, list: [Number.NaN, 1], other: null });
    expect(await again.load("two")).toBeUndefined();
  });

  it("loses the line that was being written, and no other", async () => {
    const journal = await searchJournal<number>(path, {});
    await journal.keep("one", 1);
    await journal.keep("two", 2);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.slice(0, -3));
    const torn = await searchJournal<number>(path, {});
    expect([await torn.load("one"), await torn.load("two")]).toEqual([1, undefined]);
    await torn.keep("three", 3);
    const again = await searchJournal<number>(path, {});
    expect([await again.load("one"), await again.load("three")]).toEqual([1, 3]);
  });

  it("belongs to one configuration", async () => {
    await searchJournal(path, { model: "a" });
    await expect(searchJournal(path, { model: "b" })).rejects.toThrow(UsageError);
    await writeFile(path, "{}\n");
    await expect(searchJournal(path, {})).rejects.toThrow(FormatError);
  });

  it("is damaged where a line in the middle is no entry", async () => {
    const journal = await searchJournal<number>(path, {});
    await journal.keep("one", 1);
    await writeFile(path, `${await readFile(path, "utf8")}{"name":\n{"name":"two","value":2}\n`);
    await expect(searchJournal(path, {})).rejects.toThrow(/line 3/);
  });
});

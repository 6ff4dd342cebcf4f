import { describe, expect, it } from "vitest";
import { numbersOf, tensor } from "../ir/index.ts";
import { type Batches, divideSamples } from "./samples.ts";

const { signal } = new AbortController();

describe("samples", () => {
  const evaluation: Batches = async function* () {
    for (let i = 0; i < 40; i++) yield { feeds: new Map([["x", tensor("float32", [2, 1], [i, i])]]) };
  };

  async function firsts(batches: Batches): Promise<number[]> {
    const found: number[] = [];
    for await (const { feeds } of batches()) found.push(numbersOf(feeds.get("x")!)[0]!);
    return found;
  }

  it("are divided in turns and counted", async () => {
    const samples = await divideSamples(evaluation, evaluation, signal);
    expect(samples).toMatchObject({
      isDivided: true,
      isCut: false,
      batches: 20,
      sizes: { selection: 40, verification: 40 },
    });
    expect((await firsts(samples.selection)).slice(0, 3)).toEqual([0, 2, 4]);
    expect((await firsts(samples.verification)).slice(0, 3)).toEqual([1, 3, 5]);
  });

  it("are counted by what each batch has", async () => {
    const growing: Batches = async function* () {
      for (let i = 1; i <= 9; i++) yield { feeds: new Map([["x", tensor("float32", [i, 1], new Float32Array(i))]]) };
    };
    // 1 + 3 + 5 + 7 + 9 choose, 2 + 4 + 6 + 8 verify.
    const { batches, sizes } = await divideSamples(growing, growing, signal);
    expect([batches, sizes]).toEqual([5, { selection: 25, verification: 20 }]);
  });

  it("are what can be read until a deadline, and enough to divide", async () => {
    const cut = async (reads: number) => {
      let left = reads;
      return await divideSamples(evaluation, evaluation, signal, { left: () => --left });
    };
    const few = await cut(0);
    expect(few).toMatchObject({ isDivided: true, isCut: true, batches: 4, sizes: { selection: 8, verification: 8 } });
    expect(await firsts(few.verification)).toEqual([1, 3, 5, 7]);
    expect(await cut(3)).toMatchObject({ isCut: true, batches: 5, sizes: { selection: 10, verification: 10 } });
    expect(await cut(1000)).toMatchObject({ isCut: false });
  });

  it("are shared where there are too few to divide, and counted by their labels where they have some", async () => {
    const few: Batches = async function* () {
      for (let i = 0; i < 5; i++)
        yield { feeds: new Map([["x", tensor("float32", [1, 1], [i])]]), labels: [0, 1, 2].slice(0, 1 + (i % 3)) };
    };
    const samples = await divideSamples(few, few, signal);
    // 1 + 2 + 3 + 1 + 2
    expect(samples).toMatchObject({ isDivided: false, batches: 5, sizes: { selection: 9, verification: 9 } });
    expect(await firsts(samples.selection)).toEqual([0, 1, 2, 3, 4]);
    expect(await firsts(samples.verification)).toEqual([0, 1, 2, 3, 4]);
  });

  /** Batches that say they have so many bytes, and how often their beginning was read. */
  function sized(count: number, bytes: number) {
    const read = { times: 0 };
    const batches: Batches = async function* () {
      read.times++;
      for (let i = 0; i < count; i++) {
        const data = Object.defineProperty(Uint8Array.of(i, 0, 0, 0), "byteLength", { value: bytes });
        yield { feeds: new Map([["x", { dtype: "int32", dims: [1], data }]]) };
      }
    };
    return { batches, read };
  }

  async function positions(batches: Batches): Promise<number[]> {
    const found: number[] = [];
    for await (const { feeds } of batches()) found.push((feeds.get("x")!.data as Uint8Array)[0]!);
    return found;
  }

  it.each<[string, number, number]>([
    ["up to a gibibyte are read once", 2 ** 27, 1],
    ["of more are read each time", 2 ** 27 + 1, 4],
    ["of which one alone is more are read each time", 2 ** 31, 4],
  ])("%s", async (_, bytes, times) => {
    const evaluation = sized(8, bytes);
    const calibration = sized(8, bytes);
    const samples = await divideSamples(calibration.batches, evaluation.batches, signal);
    expect(samples.timedBatch).toBe(1);
    expect(await positions(samples.selection)).toEqual([0, 2, 4, 6]);
    expect(await positions(samples.verification)).toEqual([1, 3, 5, 7]);
    expect(await positions(samples.selection)).toEqual([0, 2, 4, 6]);
    expect(evaluation.read.times).toBe(times);
    for (let i = 0; i < 4; i++) expect(await positions(samples.calibration)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(calibration.read.times).toBe(times);
  });

  it("for calibration are kept only by who reads them to their end", async () => {
    const calibration = sized(3, 4);
    const samples = await divideSamples(calibration.batches, evaluation, signal);
    for await (const _ of samples.calibration()) break;
    expect(await positions(samples.calibration)).toEqual([0, 1, 2]);
    expect(await positions(samples.calibration)).toEqual([0, 1, 2]);
    expect(calibration.read.times).toBe(2);
  });
});

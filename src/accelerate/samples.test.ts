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
});

import { describe, expect, it } from "vitest";
import { shortageOf, warnOfShortage } from "./shortage.ts";
import type { Job } from "./trial.ts";

const warned: string[] = [];

/** A job of 8 s over 40 samples to choose on and 30 to verify on, whose forms were compared on so many. */
function job(compared: readonly number[], others: object = {}): Job {
  warned.length = 0;
  return {
    budget: { seconds: 8 },
    pace: { run: 0.1, before: 1, batches: 10 },
    samples: { sizes: { selection: 40, verification: 30 }, isCut: false, isDivided: true },
    tried: compared.map((n) => ({ comparison: { n } })),
    late: new Set(["float16"]),
    journal: {
      warn: (code: string, message: string) => void warned.push(`${code}: ${message}`),
      results: new Map(),
      stages: [{ name: "cleanup", milliseconds: 4000 }],
    },
    ...others,
  } as unknown as Job;
}

const cut = (isDivided: boolean) => ({
  samples: { sizes: { selection: 40, verification: 30 }, isCut: true, isDivided },
});

describe("what the budget had no room for", () => {
  it("is nothing where all samples were used", () => {
    warnOfShortage(job([40, 40]), 30);
    expect(warned).toEqual([]);
  });

  it("is told of the samples that were read, of the form with fewest, and of those that verified", () => {
    warnOfShortage(job([40, 12, 30], cut(true)), 10);
    expect(warned.map((sentence) => sentence.replace("W_BUDGET: the time budget of 8 s was too short ", ""))).toEqual([
      "to read all evaluation data: 70 samples were read",
      "for all samples: forms were chosen on 12 or more of 40",
      "for all samples: the result was verified on 10 of 30",
    ]);
    warnOfShortage(job([], cut(false)), 30);
    expect(warned).toEqual([expect.stringContaining(": 40 samples were read")]);
  });

  it("is all forms but the cleaned one where none was measured: then the seconds are named that would do", () => {
    // A form takes 2 · 0.1 · 10 s and 1.5 times 24 runs of 0.1 s, so 5.6 s; (1 + 4 + 7 · 5.6) / 0.7 = 63.1, in tens.
    expect(shortageOf(job([]))).toBe(70);
    expect(warned).toEqual([expect.stringMatching(/ended before any form was measured: about 70 s are needed$/)]);
    const results = (form: string) => ({
      journal: { ...job([]).journal, results: new Map([[form, { form, comparison: {} }]]) },
    });
    expect(shortageOf(job([], results("cleaned")))).toBe(70);
    expect(shortageOf(job([], results("float16")))).toBeUndefined();
    expect(shortageOf(job([], { late: new Set() }))).toBeUndefined();
    expect(warned).toEqual([]);
  });
});

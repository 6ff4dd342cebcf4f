/** @file Attributes in combination: a sample of the cases that `npm run experiment pairwise` tries in full. */
import { describe, expect, it } from "vitest";
import { gradientTable } from "../../src/autodiff/index.ts";
import { pairwise } from "../pairwise/covering.ts";
import { families } from "../pairwise/families/index.ts";
import { judge } from "../pairwise/verdicts.ts";

/** Cases of each family. */
const SAMPLE = 2;

describe("combined attributes", () => {
  it.each(families.map((one) => [one.name, one] as const))("%s", async (_, { cases }) => {
    const all = cases(1);
    const step = Math.max(1, Math.floor(all.length / SAMPLE));
    const sample = all.filter((__, i) => i % step === 0).slice(0, SAMPLE);
    for (const one of sample) expect((await judge(one, 1)).differences, one.name).toEqual([]);
  });

  it("leave out no operator that has a gradient, but those made of graphs or of other operators", () => {
    const covered = new Set(families.flatMap(({ operators }) => operators));
    const withGradient = Object.entries(gradientTable).filter(
      ([, entry]) => typeof entry === "function" || entry.kind === "expand",
    );
    const left = withGradient
      .map(([name]) => name)
      .filter((name) => !covered.has(name) && !name.startsWith("com.microsoft::"));
    expect(left).toEqual(["Scatter", "SimplifiedLayerNormalization", "If", "Scan", "Loop", "Dropout"]);
  });
});

describe("covering arrays", () => {
  it("hold every possible pair of values", () => {
    const factors = { a: [0, 1, 2], b: [0, 1], c: [0, 1, 2, 3] } as const;
    const rows = pairwise(factors, 1, ({ a, b }) => a !== 2 || b === 0);
    const pairs = (key: "a" | "b" | "c", other: "a" | "b" | "c"): number =>
      new Set(rows.map((row) => `${row[key]} ${row[other]}`)).size;
    expect([pairs("a", "b"), pairs("a", "c"), pairs("b", "c")]).toEqual([5, 12, 8]);
    expect(rows.length).toBeLessThan(24);
  });
});

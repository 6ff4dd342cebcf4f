/** @file Which mutants are chosen. */
import { describe, expect, it } from "vitest";
import { changedLines, onChangedLines } from "../../scripts/mutation/changed-lines.ts";
import { mutantsOf } from "../../scripts/mutation/enumerate.ts";
import { sampleOf } from "../../scripts/mutation/sample.ts";

const lines = Array.from({ length: 100 }, (_, i) => `x${i} = a${i} + b${i};`);
const mutants = mutantsOf("src/a.ts", lines.join("\n"));
const keys = (seed: number, from = mutants) => sampleOf(from, 50, seed).map(({ key }) => key);

describe("a sample", () => {
  it("is the same for the same seed, and another for another", () => {
    expect(keys(1)).toHaveLength(50);
    expect(keys(1)).toEqual(keys(1));
    expect(keys(2)).not.toEqual(keys(1));
  });

  it("stays what it was where the sources did not change", () => {
    const changed = mutantsOf("src/a.ts", ["f();", ...lines.slice(1)].join("\n"));
    const before = new Set(keys(1));
    expect(keys(1, changed).filter((key) => !before.has(key)).length).toBeLessThan(3);
  });

  it("begins with the smaller sample", () => {
    expect(keys(1).slice(0, 20)).toEqual(sampleOf(mutants, 20, 1).map(({ key }) => key));
  });

  it("is all there is where that is less", () => {
    expect(new Set(sampleOf(mutants.slice(0, 7), 50, 1))).toEqual(new Set(mutants.slice(0, 7)));
  });
});

describe("changed lines", () => {
  const diff = [
    "diff --git a/src/a.ts b/src/a.ts",
    "--- a/src/a.ts",
    "+++ b/src/a.ts",
    "@@ -3 +3,2 @@ function f() {",
    "-x2 = old;",
    "+x2 = a2 + b2;",
    "+x3 = a3 + b3;",
    "@@ -8,2 +9,0 @@",
    "-gone",
    "-gone",
    "--- a/src/b.ts",
    "+++ b/src/b.ts",
    "@@ -0,0 +1 @@",
    "+x0 = 1;",
  ].join("\n");

  it("are those that are new", () => {
    const changed = changedLines(diff);
    expect([...changed].map(([file, numbers]) => [file, [...numbers]])).toEqual([
      ["src/a.ts", [3, 4]],
      ["src/b.ts", [1]],
    ]);
  });

  it("choose the mutants that begin on them", () => {
    expect(new Set(onChangedLines(mutants, changedLines(diff)).map(({ line }) => line))).toEqual(new Set([3, 4]));
  });
});

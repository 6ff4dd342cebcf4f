/** @file Which tests judge, in which order, and what their verdicts add up to. */
import { describe, expect, it } from "vitest";
import { mutantsOf } from "../../scripts/mutation/enumerate.ts";
import type { Verdict } from "../../scripts/mutation/judge.ts";
import { chunked, distance, importsOf, judgesOf } from "../../scripts/mutation/order.ts";
import { scoreOf } from "../../scripts/mutation/score.ts";

const sample = mutantsOf("src/part/a.ts", "f(); g(); h(); i(); j(); k();");

function verdict(i: number, wave: "near" | "far", status: Verdict["status"]): Verdict {
  return { key: sample[i]!.key, wave, status, seconds: 2 };
}

describe("a score", () => {
  it("counts a mutant as noticed by either wave, and as not asked of all until the second", () => {
    const verdicts = [
      verdict(0, "near", "killed"),
      verdict(1, "near", "survived"),
      verdict(1, "far", "timeout"),
      verdict(2, "near", "capped"),
      verdict(2, "far", "uncovered"),
      verdict(3, "near", "uncovered"),
      verdict(3, "far", "survived"),
      verdict(4, "near", "survived"),
    ];
    const score = scoreOf("src/part", 100, sample, verdicts, { [sample[3]!.key]: "why" });
    expect(score.counts).toEqual({ killed: 1, timeout: 1, survived: 1, uncovered: 0, capped: 1, pending: 1 });
    expect(score).toMatchObject({ judged: 5, score: 0.4, seconds: 16 });
    expect(score.survivors.map(({ change, status, reason }) => [change, status, reason])).toEqual([
      ["h(); → (nothing)", "capped", undefined],
      ["i(); → (nothing)", "survived", "why"],
      ["j(); → (nothing)", "pending", undefined],
    ]);
  });
});

describe("judges", () => {
  it("are near by file, by folder, by part", () => {
    const imports = importsOf("test/x.test.ts", 'import { a } from "../src/part/deep/b.ts"; import("./y.ts");');
    expect(imports).toEqual(["src/part/deep/b.ts"]);
    const far = (mutated: string) => distance(mutated, { file: "test/x.test.ts", imports });
    expect(["b", "c"].map((name) => far(`src/part/deep/${name}.ts`))).toEqual([0, 1]);
    expect([far("src/part/a.ts"), far("src/other/a.ts"), far("src/other/x.ts")]).toEqual([2, 3, 0]);
  });

  it("are those that reach it: single tests, or the whole file where it is reached outside of them", () => {
    const tests = ["1", "2"].map((id) => ({ id, name: id, ms: 10 }));
    const baseline = { overheadMs: 5, tests, excluded: [] };
    const baselines = [
      { ...baseline, file: "test/far.test.ts", reached: { 7: ["2"] } },
      { ...baseline, file: "src/part/a.test.ts", reached: { 7: [""] } },
      { ...baseline, file: "test/other.test.ts", reached: { 8: ["1"] } },
    ];
    expect(judgesOf(7, sample[0]!, baselines, new Map())).toEqual([
      { file: "src/part/a.test.ts", tests: ["1", "2"], ms: 25 },
      { file: "test/far.test.ts", tests: ["2"], ms: 15 },
    ]);
  });

  it("are asked in groups that grow, up to the cap", () => {
    const parts = [4, 2, 3, 9, 20, 40].map((seconds) => ({ file: `${seconds}`, tests: [], ms: 1000 * seconds }));
    const names = ({ chunks, isCapped }: ReturnType<typeof chunked>) => [
      chunks.map((chunk) => chunk.map(({ file }) => Number(file))),
      isCapped,
    ];
    expect(names(chunked(parts, 1e6))).toEqual([[[4, 2], [3, 9], [20], [40]], false]);
    expect(names(chunked(parts, 20_000))).toEqual([
      [
        [4, 2],
        [3, 9],
      ],
      true,
    ]);
    expect(names(chunked(parts.slice(4), 10_000))).toEqual([[[20]], true]);
  });
});

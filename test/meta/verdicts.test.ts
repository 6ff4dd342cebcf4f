/** @file Every experiment judges its criterion, and every section of the page of results says what came of it. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Recorded } from "../../experiments/experiment.ts";
import { experiments } from "../../experiments/index.ts";
import {
  differenceInterval,
  everyOne,
  isAbove,
  isAtLeast,
  isAtMost,
  type Judgement,
  meanInterval,
  verdictText,
} from "../../experiments/judgement.ts";
import { resultsFolder, resultsPage, section } from "../../experiments/page.ts";

const recordings = experiments.flatMap((experiment) => {
  const path = `${resultsFolder}${experiment.name}.json`;
  return existsSync(path) ? [{ experiment, recorded: JSON.parse(readFileSync(path, "utf8")) as Recorded }] : [];
});

const VERDICT =
  /^\*\*Verdict\.\*\* (shown|partly shown \(\d+ of \d+\)|not shown|too noisy to tell|not measured yet)\.$/;

it.each(recordings)("$experiment.name judges what was recorded", ({ experiment, recorded }) => {
  const judgements = experiment.judge(recorded.result);
  expect(judgements.length).toBeGreaterThan(0);
  for (const { what, figure } of judgements) {
    expect(what).not.toBe("");
    expect(figure).toMatch(/\d/);
    expect(figure).not.toMatch(/NaN|undefined/);
  }
});

it("ends every section in a verdict, behind which stand only the parts that do not hold", () => {
  const sections = resultsPage().split(/^## /m).slice(1);
  expect(sections.length).toBe(experiments.length);
  for (const text of sections) {
    const lines = text.trimEnd().split("\n");
    const at = lines.findLastIndex((line) => line.startsWith("**Verdict.**"));
    expect(lines[at], lines[0]).toMatch(VERDICT);
    const behind = lines.slice(at + 1).filter((line) => line !== "");
    expect(behind.filter((line) => !/^- (Not shown|Cannot be told): /.test(line))).toEqual([]);
  }
});

it.each(recordings)("$experiment.name survives a result of earlier code", ({ experiment, recorded }) => {
  const lines = section(experiment, { ...recorded, result: {} })
    .trimEnd()
    .split("\n");
  expect(lines.some((line) => line.startsWith("**Verdict.**"))).toBe(true);
});

describe("verdictText", () => {
  const of = (...all: (boolean | undefined)[]): string =>
    verdictText(all.map((holds, i): Judgement => ({ what: `part ${i}`, holds, figure: `${i} s`, why: "so." })));

  it("says how many parts hold, and lists the others", () => {
    expect(of(true, true)).toBe("**Verdict.** shown.");
    expect(of(true, false)).toBe("**Verdict.** partly shown (1 of 2).\n\n- Not shown: part 1. 1 s. Why: so.");
    expect(of(false, undefined)).toMatch(
      /^\*\*Verdict\.\*\* not shown\.\n\n- Not shown: .*\n- Cannot be told: part 1\./,
    );
    expect(of(undefined)).toMatch(/^\*\*Verdict\.\*\* too noisy to tell\./);
    expect(of()).not.toMatch(/shown\.$/);
  });

  it("takes the worst of many things", () => {
    const judged = (...all: (boolean | undefined)[]) => everyOne("each", all, (x) => x, String);
    expect(judged(true, true).holds).toBe(true);
    expect(judged(true, undefined).holds).toBe(undefined);
    expect(judged(undefined, false).holds).toBe(false);
    expect(judged().holds).toBe(undefined);
    expect(judged(true, false, undefined).figure).toBe("1 of 3; not: false; cannot be told: undefined");
  });
});

describe("intervals", () => {
  it("are told on one side of a bound, and not across it", () => {
    expect([isAbove([1, 2], 0.9), isAbove([1, 2], 1), isAbove([1, 2], 2.1)]).toEqual([true, undefined, false]);
    expect([isAtLeast([1, 2], 1), isAtLeast([1, 2], 1.5), isAtLeast([1, 2], 2.1)]).toEqual([true, undefined, false]);
    expect([isAtMost([1, 2], 2), isAtMost([1, 2], 1.5), isAtMost([1, 2], 0.9)]).toEqual([true, undefined, false]);
  });

  it("of a mean are Student's: 2 ± 4.303 / √3 for 1, 2, 3; of one seed, nothing is known", () => {
    const [low, high] = meanInterval([1, 2, 3]);
    expect(low).toBeCloseTo(2 - 4.303 / Math.sqrt(3), 12);
    expect(high).toBeCloseTo(2 + 4.303 / Math.sqrt(3), 12);
    expect(isAbove(meanInterval([1]), 0)).toBe(undefined);
  });

  it("of a difference of shares are Newcombe's (1998, table II: 56 of 70 against 48 of 80 has 0.0524 to 0.3339; here with equal n)", () => {
    const [low, high] = differenceInterval(0.8, 0.6, 75);
    expect(low).toBeGreaterThan(0.05);
    expect(low).toBeLessThan(0.06);
    expect(high).toBeGreaterThan(0.33);
    expect(high).toBeLessThan(0.34);
  });
});

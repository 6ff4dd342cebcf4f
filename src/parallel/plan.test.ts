import { describe, expect, it } from "vitest";
import { residualNetwork } from "../../test/residual-networks.ts";
import { surveyBlocks } from "./block-runs.ts";
import {
  depthOf,
  fullPlan,
  leastDivergent,
  type MeasuredWindow,
  mostWindows,
  type PlanShape,
  windowsForDepth,
  windowsOf,
} from "./plan.ts";
import { parallelizeBlocks } from "./regroup.ts";

const seven = residualNetwork({ blocks: 7 });
const survey = surveyBlocks(seven);
const { runs } = survey;

describe("the full plan", () => {
  it("covers every block", () => {
    const six = surveyBlocks(residualNetwork({ blocks: 6 }));
    expect(fullPlan(six, { branches: 3 }).windows.map(({ first }) => first)).toEqual([0, 3]);
    expect(fullPlan(six, { branches: 3, group: 2 }).windows.map(({ first }) => first)).toEqual([0]);
    expect(depthOf(six.runs, fullPlan(six, { branches: 3, group: 2 }))).toBe(2);
  });

  it("is refused where the blocks do not divide", () => {
    expect(() => fullPlan(survey, { branches: 2 })).toThrow(/cannot be divided.*multiple of 2 × 1.*runs of 7 blocks/);
    expect(() => fullPlan(survey, { branches: 1 })).toThrow(/no parallel network/);
    expect(() => fullPlan(survey, { branches: 2.5 })).toThrow(/must be a whole number/);
    expect(fullPlan(survey, { branches: 1, arrangement: "merged" }).windows).toHaveLength(7);
    const single = surveyBlocks(residualNetwork({ blocks: 4, period: 1 }));
    expect(() => fullPlan(single, { branches: 1, arrangement: "merged" })).toThrow(/nothing to put side by side/);
  });
});

describe("the choice among windows", () => {
  const shapes: readonly PlanShape[] = [{ branches: 2 }, { branches: 3 }, { branches: 2, group: 2 }];

  it.each(shapes)("is the best there is: %j", (shape) => {
    const measured = windowsOf(runs, shape).map((window, i) => ({ ...window, divergence: (i * 37) % 11 }));
    for (let count = 1; count <= mostWindows(runs, shape); count++) {
      const { windows } = leastDivergent(runs, shape, measured, count);
      expect(windows).toHaveLength(count);
      expect(
        total(
          measured,
          windows.map(({ first }) => first),
        ),
      ).toBe(best(measured, shape, count));
      expect(() => parallelizeBlocks(seven, { ...shape, windows })).not.toThrow();
    }
    expect(() => leastDivergent(runs, shape, measured, 4)).toThrow(/too few blocks/);
  });

  it("knows the depths that can be reached", () => {
    expect(windowsForDepth(runs, { branches: 2 }, 5)).toBe(2);
    expect(windowsForDepth(runs, { branches: 3 }, 3)).toBe(2);
    expect(windowsForDepth(runs, { branches: 1, arrangement: "merged" }, 6.5)).toBe(1);
    expect(() => windowsForDepth(runs, { branches: 3 }, 4)).toThrow(/one of 5, 3.*got 4 of 7/);
  });
});

function total(measured: readonly MeasuredWindow[], firsts: readonly number[]): number {
  return measured.reduce((sum, { first, divergence }) => sum + (firsts.includes(first) ? divergence : 0), 0);
}

/** The least sum over all sets of windows apart. */
function best(measured: readonly MeasuredWindow[], { branches, group = 1 }: PlanShape, count: number): number {
  const search = (from: number, left: number): number => {
    if (left === 0) return 0;
    const later = measured.filter(({ first }) => first >= from);
    return Math.min(...later.map(({ first, divergence }) => divergence + search(first + branches * group, left - 1)));
  };
  return search(0, count);
}

describe("windows that do not fit", () => {
  it.each([
    [[{ run: 1, first: 0 }], /outside the runs/],
    [[{ run: 0, first: 6 }], /outside the runs.*got run 0, block 6/],
    [[{ run: 0, first: -1 }], /outside the runs/],
    [
      [
        { run: 0, first: 0 },
        { run: 0, first: 1 },
      ],
      /overlap/,
    ],
  ])("%j are refused", (windows, message) => {
    expect(() => parallelizeBlocks(seven, { branches: 2, windows })).toThrow(message);
  });
});

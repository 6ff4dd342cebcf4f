import { describe, expect, it } from "vitest";
import { kendallTau } from "./rank-correlation.ts";

describe("kendallTau", () => {
  it("is 1 for one order and −1 for its reverse, whatever the numbers", () => {
    expect(kendallTau([1, 5, 6, 100], [-3, 0, 0.5, 0.6])).toBe(1);
    expect(kendallTau([1, 5, 6, 100], [4, 3, 2, 1])).toBe(-1);
  });

  it("counts pairs, and corrects for equal ones", () => {
    expect(kendallTau([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(4 / 6, 12);
    // 5 − 0 of 6 pairs, of which 5 differ in the first and 6 in the second.
    expect(kendallTau([1, 1, 2, 3], [1, 2, 3, 4])).toBeCloseTo(5 / Math.sqrt(30), 12);
    expect(kendallTau([2, 2], [1, 3])).toBeNaN();
  });

  it("refuses lists that do not belong together", () => {
    expect(() => kendallTau([1], [1, 2])).toThrow(/expected 1; got 2/);
  });
});

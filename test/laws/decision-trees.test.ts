/** @file Decision trees cut where they say: at the median of what varies most, or where classes become purest. */
import { describe, expect, it } from "vitest";
import { fitTree } from "../../src/conditional/index.ts";
import { DataError, UsageError } from "../../src/errors.ts";

describe("a tree", () => {
  it("without classes cuts the feature of the largest variance at its median, again in each half", () => {
    // The second number varies most; in the lower half the first does, in the upper half the second.
    const rows = [...[1, 0], ...[5, 1], ...[19, 2], ...[3, 3], ...[0, 10], ...[1, 20], ...[2, 30], ...[3, 40]];
    expect(fitTree(rows, 2, { depth: 1 })).toEqual({ depth: 1, features: [1], thresholds: [10] });
    // At most 10 are (1, 0), (5, 1), (19, 2), (3, 3) and (0, 10), above stand 20, 30 and 40.
    expect(fitTree(rows, 2, { depth: 2 })).toEqual({ depth: 2, features: [1, 0, 1], thresholds: [10, 3, 30] });
  });

  it("with classes cuts where the Gini impurity falls most, whatever varies more", () => {
    // The first number says the class, the second is large and says nothing.
    const rows = [...[1, 90], ...[2, -80], ...[3, 70], ...[4, -60], ...[5, 50], ...[6, -40]];
    const classes = [0, 0, 1, 1, 1, 1];
    expect(fitTree(rows, 2, { depth: 1, classes })).toEqual({ depth: 1, features: [0], thresholds: [2] });
    expect(fitTree(rows, 2, { depth: 1 }).features).toEqual([1]);
  });

  it("takes the purer of two cuts that are not pure", () => {
    // Behind the first row 0 + 5 − (16 + 1)/5 = 1.6, behind the second 1 + 1.5, behind the third 3 − (4 + 1)/3 + 0 = 4/3.
    const classes = [0, 1, 0, 1, 1, 1];
    const rows = [1, 2, 3, 4, 5, 6];
    expect(fitTree(rows, 1, { depth: 1, classes }).thresholds).toEqual([3]);
  });

  it("cuts off a single row where that is purest, and never an empty side", () => {
    const classes = [1, 0, 0, 0, 0, 0];
    expect(fitTree([1, 2, 3, 4, 5, 6], 1, { depth: 1, classes }).thresholds).toEqual([1]);
    // Nothing lies above the largest, so that cutting there would leave all on one side.
    const last = [0, 0, 0, 0, 0, 1];
    expect(fitTree([1, 2, 3, 4, 5, 6], 1, { depth: 1, classes: last }).thresholds).toEqual([5]);
    // A second level cuts the pure side too, at one of its own values.
    const { features, thresholds } = fitTree([1, 2, 3, 4, 5, 6], 1, { depth: 2, classes });
    expect([features, thresholds[0], thresholds[2]! >= 2 && thresholds[2]! <= 6]).toEqual([[0, 0, 0], 1, true]);
  });

  it("finds the one cut that parts two halves, wherever it lies", () => {
    for (const count of [10, 20, 34, 51, 200]) {
      for (const at of [1, Math.floor(count / 2), count - 1]) {
        const rows = Array.from({ length: count }, (_, i) => (7 * i) % count);
        const classes = rows.map((x) => Number(x >= at));
        expect(fitTree(rows, 1, { depth: 1, classes }).thresholds).toEqual([at - 1]);
      }
    }
  });

  it("tries as many thresholds for each feature as it is told", () => {
    // One candidate is the median, 4; three are 2, 4 and 6, of which the first parts the classes.
    const rows = [0, 1, 2, 3, 4, 5, 6, 7];
    const classes = [0, 0, 0, 1, 1, 1, 1, 1];
    const cut = (candidates: number) => fitTree(rows, 1, { depth: 1, classes, candidates }).thresholds;
    expect([cut(1), cut(3)]).toEqual([[4], [2]]);
  });

  it("is refused for depths out of range and rows that are not whole", () => {
    for (const depth of [0, 17, 1.5]) expect(() => fitTree([1, 2, 3, 4], 2, { depth })).toThrow(UsageError);
    expect(fitTree([1, 2], 1, { depth: 16 }).features).toHaveLength(2 ** 16 - 1);
    expect(() => fitTree([1, 2, 3], 2, { depth: 1 })).toThrow(DataError);
    expect(() => fitTree([1, 2], 2, { depth: 1 })).toThrow(DataError);
  });
});

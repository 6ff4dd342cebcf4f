import { describe, expect, it } from "vitest";
import { InvalidModelError } from "../errors.ts";
import {
  boundsOf,
  exactBigint,
  exactNumber,
  int64s,
  intOf,
  intsOf,
  makeNode,
  numbersOf,
  tensor,
  tensorFromNumbers,
  typedArray,
} from "./index.ts";
import { clampedNumber } from "./int64.ts";

const end = 2n ** 63n - 1n;

describe("64-bit integers", () => {
  it("become numbers only when they stay what they are", () => {
    expect(exactNumber(-(2n ** 53n) + 1n)).toBe(Number.MIN_SAFE_INTEGER);
    expect(() => exactNumber(2n ** 53n)).toThrow(InvalidModelError);
    expect(clampedNumber(end)).toBe(Number.MAX_SAFE_INTEGER);
    expect(clampedNumber(-end)).toBe(Number.MIN_SAFE_INTEGER);
  });

  it("are not made of numbers that were rounded, have a fraction or are none", () => {
    for (const x of [2 ** 53, 2 ** 63, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => exactBigint(x)).toThrow(InvalidModelError);
      expect(() => int64s([x])).toThrow(InvalidModelError);
      expect(() => tensor("uint64", [1], [x])).toThrow(InvalidModelError);
      expect(() => tensorFromNumbers("int64", [1], [x])).toThrow(InvalidModelError);
    }
  });

  it("do not come back from numbers as other integers", () => {
    for (const x of [end, -(2n ** 63n), 2n ** 53n + 1n]) {
      expect(() => tensorFromNumbers("int64", [1], numbersOf(int64s([x])))).toThrow(InvalidModelError);
    }
    expect([...typedArray(int64s([end, 3]))]).toEqual([end, 3n]);
  });

  it("of attributes are read exactly, or as bounds", () => {
    const node = makeNode("Slice", [], [], {
      name: "cut",
      attributes: { axis: end, ends: { type: "ints", value: [end, 2n] } },
    });
    expect(() => intOf(node, "axis")).toThrow(/"cut" \(Slice\), attribute "axis"/);
    expect(() => intsOf(node, "ends")).toThrow(InvalidModelError);
    expect(boundsOf(node, "ends")).toEqual([Number.MAX_SAFE_INTEGER, 2]);
    expect(() => makeNode("Slice", [], [], { attributes: { ends: [2 ** 63] } })).toThrow(InvalidModelError);
  });
});

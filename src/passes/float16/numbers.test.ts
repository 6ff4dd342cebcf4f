import { expect, it } from "vitest";
import { floatFormats, numbersOf, scalar, tensor } from "../../ir/index.ts";
import { toHalf } from "./numbers.ts";

it.each([
  [65503, 65504],
  [65504, 65504],
  [65519.99, 65504],
  [65520, 65504],
  [-1e30, -65504],
  [3.4028234663852886e38, 65504],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
  [Number.NaN, Number.NaN],
  [1e-9, 2 ** -24],
  [-1e-45, -(2 ** -24)],
  [2 ** -25, 2 ** -24],
  [3 * 2 ** -25, 2 ** -23],
  [2 ** -14, 2 ** -14],
  [-0, -0],
  [0, 0],
])("%d becomes %d", (from, to) => {
  expect(numbersOf(toHalf(scalar("float32", from)))[0]).toBe(to);
});

it("rounds numbers of every size as the format says", () => {
  const patterns = Int32Array.from({ length: 2 ** 18 }, (_, i) => i << 14);
  const values = new Float32Array(patterns.buffer);
  const got = numbersOf(toHalf(tensor("float32", [values.length], values)));
  const half = floatFormats.float16!;
  const inRange = [...values.keys()].filter((i) => Math.abs(values[i]!) <= 65504 && Math.abs(values[i]!) > 2 ** -25);
  expect(inRange.length).toBeGreaterThan(20_000);
  expect(inRange.filter((i) => got[i] !== half.decode(half.encode(values[i]!)))).toEqual([]);
});

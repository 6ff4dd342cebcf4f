import { expect, it } from "vitest";
import { takePositions } from "./take-positions.ts";
import { numbersOf, strings, stringsOf, tensorFromNumbers } from "./tensor.ts";

const counted = (dtype: "float32" | "float16" | "int4" | "int64", dims: readonly number[]) =>
  tensorFromNumbers(
    dtype,
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => i),
  );

it.each(["float32", "float16", "int4", "int64"] as const)(
  "takes positions of axes out of %s, in their order",
  (dtype) => {
    const taken = takePositions(counted(dtype, [2, 3, 1]), [[1], [2, 0], undefined]);
    expect(taken.dims).toEqual([1, 2, 1]);
    expect([...numbersOf(taken)]).toEqual([5, 3]);
  },
);

it("keeps what lies behind the last axis that is cut together", () => {
  const taken = takePositions(counted("float32", [3, 2, 2]), [[2, 0], undefined, undefined]);
  expect([...numbersOf(taken)]).toEqual([8, 9, 10, 11, 0, 1, 2, 3]);
  expect([...numbersOf(takePositions(counted("float32", [2, 2, 2]), [undefined, [1], undefined]))]).toEqual([
    2, 3, 6, 7,
  ]);
});

it("takes texts", () => {
  expect(stringsOf(takePositions(strings([3], ["a", "b", "c"]), [[2, 1]]))).toEqual(["c", "b"]);
});

it("gives the tensor itself where all is taken", () => {
  const whole = counted("float32", [2, 2]);
  expect(takePositions(whole, [undefined, undefined])).toBe(whole);
});

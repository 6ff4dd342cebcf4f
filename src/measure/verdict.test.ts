import { expect, it } from "vitest";
import { isSettled, verdictOf } from "./verdict.ts";

it.each([
  ["faster", [1.001, 9], 1.02],
  ["faster", [1.5, 1.6], 1.02],
  ["unclear", [1, 1.03], 1.02],
  ["unclear", [0.9, 1.01], 1.02],
  ["unclear", [0.99, 1.1], 1.02],
  ["unclear", [0.98, 1.01], 1.02],
  ["same", [0.98, 1.01], 1.05],
  ["same", [0.99, 1.01], 1.02],
  ["same", [1, 1], 1.02],
  ["slower", [0.2, 0.999], 1.02],
] as const)("says %s of %j", (verdict, interval, horizon) => {
  expect(verdictOf(interval, horizon)).toBe(verdict);
});

it.each([
  [true, [1.03, 9]],
  [true, [1.001, 1.019]],
  [true, [0.99, 1.01]],
  [true, [0.985, 0.99]],
  [true, [0.5, 0.9]],
  [false, [1.001, 1.03]],
  [false, [0.97, 0.99]],
  [false, [0.99, 1.03]],
  [false, [0.97, 1.03]],
] as const)("holds more rounds for useless: %s, of %j", (isDone, interval) => {
  expect(isSettled(interval, 1.02)).toBe(isDone);
});

/** @file docs/operators.md says what the table says, and the table has what the models need. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { operatorsPage, operatorsPath } from "../../scripts/operators.ts";
import { opTable } from "../../src/ops/index.ts";

it("is what scripts/operators.ts writes", () => {
  expect(readFileSync(operatorsPath, "utf8")).toBe(operatorsPage());
});

it("lists versions in ascending order", () => {
  const unsorted = Object.entries(opTable).filter(([, { since }]) => since.some((v, i) => i > 0 && v <= since[i - 1]!));
  expect(unsorted.map(([name]) => name)).toEqual([]);
});

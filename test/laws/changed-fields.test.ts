/** @file Models with changed fields end in a result that keeps its promises or in a named error, whatever is done with them. */
import { expect, it } from "vitest";
import { fuzzCase } from "../fuzz/fuzz-fields.ts";
import { fuzzSeeds } from "../fuzz/seeds.ts";

it("names every error", async () => {
  const seeds = await fuzzSeeds([]);
  const failures: string[] = [];
  let valid = 0;
  for (let i = 0; i < 200; i++) {
    const report = await fuzzCase(i, 3, seeds);
    if (report.outcomes.verify === "done") valid++;
    failures.push(...report.failures.map((failure) => `case ${i}: ${failure}`));
  }
  expect(failures).toEqual([]);
  expect(valid).toBeGreaterThan(100);
});

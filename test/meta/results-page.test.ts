/** @file The page of results says what the recorded figures say. */
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { pagePath, resultsPage } from "../../experiments/page.ts";

it("is docs/results.md as the recorded results make it; `npm run docs` writes it", () => {
  expect(readFileSync(pagePath, "utf8")).toBe(resultsPage());
});

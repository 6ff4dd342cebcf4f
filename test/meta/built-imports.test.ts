/** @file What is built imports what is built: the compiler leaves a dynamic import as it is in a function that also has `using`. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { root } from "./sources.ts";

it("names no source in an import of a built file", () => {
  const built = readdirSync(`${root}dist`, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".js"),
  );
  expect(built.length).toBeGreaterThan(100);
  const sources = /(?:\bfrom|\bimport\()\s*["'][^"']*\.ts["']/;
  expect(built.filter((path) => sources.test(readFileSync(`${root}dist/${path}`, "utf8")))).toEqual([]);
});

/** @file What is written to a terminal passes through `printable`, since it may hold names from models. */
import { expect, it } from "vitest";
import { sourcesIn } from "./sources.ts";

/** Text with something put into it, handed to a stream or the console. */
const written = /(?:std(?:out|err)\.write|console\.(?:log|warn|error))\((`[^`]*\$\{.*)/g;

it("puts nothing into what it writes that is not made harmless", () => {
  const lines = sourcesIn("src").flatMap(({ path, text }) =>
    [...text.matchAll(written)].map(([, line]) => `${path}: ${line}`),
  );
  expect(lines.length).toBeGreaterThan(4);
  expect(lines.filter((line) => !/\b(?:printable|jsonLine)\b|\$\{version\}/.test(line))).toEqual([]);
});

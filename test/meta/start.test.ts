/** @file `lithe --help` answers at once because nothing heavy is imported before a command is named. */
import { posix } from "node:path";
import { expect, it } from "vitest";
import { sourcesIn } from "./sources.ts";

const sources = new Map(sourcesIn("src").map((source) => [source.path, source.text]));

/** Modules that are loaded before the first line runs. */
function loadedBy(path: string, seen = new Set<string>()): Set<string> {
  if (seen.has(path)) return seen;
  seen.add(path);
  const statics = [
    ...(sources.get(path) ?? "").matchAll(/^(?:import|export)\s(?!type\b)(?:[^"';]*?\sfrom\s)?"([^"]+)"/gm),
  ];
  for (const [, specifier = ""] of statics) {
    if (specifier.startsWith(".")) loadedBy(posix.join(posix.dirname(path), specifier), seen);
    else seen.add(specifier);
  }
  return seen;
}

it("starts with the errors and its own few files", () => {
  const loaded = [...loadedBy("src/cli/main.ts")].sort();
  expect(loaded).toEqual([
    "node:fs",
    "node:fs/promises",
    "node:path",
    "src/cli/commands.ts",
    "src/cli/data-hint.ts",
    "src/cli/main.ts",
    "src/cli/progress.ts",
    "src/cli/terminal.ts",
    "src/cli/unanswered.ts",
    "src/errors.ts",
    "src/file-system.ts",
    "src/job/version.ts",
    "src/printable.ts",
  ]);
});

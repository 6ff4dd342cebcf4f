/** @file What a browser loads must not reach for Node. */
import { posix } from "node:path";
import { expect, it } from "vitest";
import { importsOf, sourcesIn } from "../meta/sources.ts";

const sources = new Map(sourcesIn("src").map((source) => [source.path, source]));

/** Every package and built-in that the static imports of `path` lead to, files included in `seen`. */
function packagesFrom(path: string, seen = new Set<string>()): Set<string> {
  const found = new Set<string>();
  const source = sources.get(path);
  if (!source || seen.has(path)) return found;
  seen.add(path);
  for (const { specifier, typeOnly } of importsOf(source)) {
    if (typeOnly) continue;
    if (!specifier.startsWith(".")) found.add(specifier);
    else for (const name of packagesFrom(posix.join(posix.dirname(path), specifier), seen)) found.add(name);
  }
  return found;
}

it.each(["src/runtime/web/index.ts", "src/runtime/web/worker.ts"])("%s needs no Node built-in", (path) => {
  const seen = new Set<string>();
  const packages = [...packagesFrom(path, seen)];
  expect(seen.size).toBeGreaterThan(5);
  expect(packages.filter((name) => name.startsWith("node:"))).toEqual([]);
});

/** @file Which tests judge a mutant, nearest first. */
import { posix } from "node:path";
import type { FileBaseline } from "./baseline.ts";
import type { Mutant } from "./mutant.ts";

/** Tests of one file that reach a mutant. */
export interface Part {
  readonly file: string;
  readonly tests: readonly string[];
  readonly ms: number;
}

/** 0 for a test of the mutated file, 1 of its folder, 2 of its part of the sources, 3 for others. */
export function distance(
  mutated: string,
  test: { readonly file: string; readonly imports: readonly string[] },
): number {
  const stem = (path: string): string => posix.basename(path).replace(/(\.test)?\.ts$/, "");
  if (test.imports.includes(mutated) || stem(test.file) === stem(mutated)) return 0;
  const folder = posix.dirname(mutated);
  if (posix.dirname(test.file) === folder || test.imports.some((path) => posix.dirname(path) === folder)) return 1;
  const part = `/${mutated.split("/")[1]}/`;
  return [test.file, ...test.imports].some((path) => `/${path}`.includes(part)) ? 2 : 3;
}

/** The files of `src/` that a test file imports itself. */
export function importsOf(file: string, text: string): string[] {
  const specifiers = [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, specifier]) => specifier as string);
  return specifiers
    .map((specifier) => posix.join(posix.dirname(file), specifier))
    .filter((path) => path.startsWith("src/"));
}

/** The tests that reach mutant `id`, in the order in which they judge it: nearest, then cheapest. */
export function judgesOf(
  id: number,
  mutant: Mutant,
  baselines: readonly FileBaseline[],
  imports: ReadonlyMap<string, readonly string[]>,
): Part[] {
  const parts = baselines.flatMap((baseline) => {
    const part = partOf(id, baseline);
    return part
      ? [{ part, far: distance(mutant.file, { file: part.file, imports: imports.get(part.file) ?? [] }) }]
      : [];
  });
  return parts.sort((a, b) => a.far - b.far || a.part.ms - b.part.ms).map(({ part }) => part);
}

function partOf(id: number, { file, tests, reached, overheadMs }: FileBaseline): Part | undefined {
  const ids = reached[id];
  if (!ids) return undefined;
  const isWhole = ids.includes("");
  const judging = tests.filter((test) => isWhole || ids.includes(test.id));
  if (judging.length === 0) return undefined;
  return { file, tests: judging.map((test) => test.id), ms: judging.reduce((sum, { ms }) => sum + ms, overheadMs) };
}

/** Parts in groups, so that a kill by the first is found before the rest is started, and the first `cap` milliseconds of them. */
export function chunked(
  parts: readonly Part[],
  cap: number,
): { readonly chunks: Part[][]; readonly isCapped: boolean } {
  const chunks: Part[][] = [];
  let spent = 0;
  let limit = 5_000;
  for (const part of parts) {
    if (spent > 0 && spent + part.ms > cap) return { chunks, isCapped: true };
    if (spent === 0 || spent > limit) {
      chunks.push([]);
      limit = spent + Math.max(spent, 5_000);
    }
    chunks.at(-1)!.push(part);
    spent += part.ms;
  }
  return { chunks, isCapped: false };
}

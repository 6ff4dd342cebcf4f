/** @file Samples of whole folders, whose verdicts are kept beside the results of experiments until they are recorded. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { linesOf } from "./baseline.ts";
import type { Verdict } from "./judge.ts";
import type { Mutant } from "./mutant.ts";
import { judgeAll, mutantsIn, type Settings } from "./run.ts";
import { sampleOf } from "./sample.ts";
import { type FolderScore, scoreOf, statuses } from "./score.ts";

export const root = fileURLToPath(new URL("../../", import.meta.url));
const results = `${root}experiments/results/`;
const reasonsPath = `${root}experiments/mutation-reasons.json`;
const excludedPath = `${results}.mutation-excluded.partial`;

export interface Sample {
  readonly folders: readonly string[];
  /** Mutants in each folder. */
  readonly count: number;
  readonly seed: number;
}

export interface Scores {
  readonly folders: readonly FolderScore[];
  /** Tests that failed without a mutant and so judged none. */
  readonly excluded: readonly string[];
}

export async function judgeFolders(
  { folders, count, seed }: Sample,
  settings: Omit<Settings, "partial" | "root">,
): Promise<Scores> {
  const mutants = inTurns(folders.map((folder) => sampleOf(mutantsIn(root, folder), count, seed)));
  const partial = (mutant: Mutant): string =>
    partialOf(folders.find((folder) => mutant.file.startsWith(`${folder}/`))!);
  const excluded = await judgeAll(mutants, { ...settings, root, partial });
  writeFileSync(excludedPath, JSON.stringify([...new Set([...excludedBefore(), ...excluded])], undefined, 1));
  return scoresOf({ folders, count, seed });
}

/** One of each list, then the next of each, so that a run that is interrupted knows something of all. */
function inTurns<T>(lists: readonly (readonly T[])[]): T[] {
  const longest = Math.max(...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list.slice(i, i + 1))).flat();
}

/** The scores as far as verdicts are there. */
export function scoresOf({ folders, count, seed }: Sample): Scores {
  const reasons = existsSync(reasonsPath) ? JSON.parse(readFileSync(reasonsPath, "utf8")) : {};
  return {
    folders: folders.map((folder) => {
      const mutants = mutantsIn(root, folder);
      const sample = sampleOf(mutants, count, seed);
      return scoreOf(folder, mutants.length, sample, linesOf<Verdict>(partialOf(folder)), reasons);
    }),
    excluded: excludedBefore(),
  };
}

/** Of this and of interrupted runs. */
function excludedBefore(): readonly string[] {
  return existsSync(excludedPath) ? JSON.parse(readFileSync(excludedPath, "utf8")) : [];
}

/** Mutants that no test noticed are judged anew by the next run. */
export function forgetUnnoticed(folder: string): void {
  const verdicts = linesOf<Verdict>(partialOf(folder));
  const found = statuses(verdicts);
  const kept = verdicts.filter(({ key }) => ["killed", "timeout"].includes(found.get(key)?.all ?? ""));
  writeFileSync(partialOf(folder), kept.map((verdict) => `${JSON.stringify(verdict)}\n`).join(""));
}

function partialOf(folder: string): string {
  return `${results}.mutation-${folder.replace(/^src\//, "").replaceAll("/", "-")}.partial`;
}

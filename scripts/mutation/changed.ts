/** @file The mutants of the lines that were changed. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linesOf } from "./baseline.ts";
import { changedLines, diffSince, onChangedLines } from "./changed-lines.ts";
import { mutantsOf } from "./enumerate.ts";
import type { Verdict } from "./judge.ts";
import { judgeAll, type Settings } from "./run.ts";
import { sampleOf } from "./sample.ts";
import { type FolderScore, scoreOf } from "./score.ts";

export interface Change {
  readonly base: string | undefined;
  /** At most so many mutants, chosen by the seed. */
  readonly count: number;
  readonly seed: number;
}

export async function judgeChanged(
  { base, count, seed }: Change,
  settings: Omit<Settings, "partial">,
): Promise<FolderScore> {
  const { root } = settings;
  const changed = changedLines(diffSince(root, base));
  const files = [...changed.keys()].filter((file) => /^src\/.*\.ts$/.test(file) && !/\.test\.ts$|_pb\.ts$/.test(file));
  const mutants = files.flatMap((file) => mutantsOf(file, readFileSync(join(root, file), "utf8")));
  const onLines = onChangedLines(mutants, changed);
  const sample = sampleOf(onLines, count, seed);
  const notes = mkdtempSync(join(tmpdir(), "lithe-mutation-verdicts-"));
  const partial = join(notes, "verdicts.jsonl");
  try {
    if (sample.length > 0) await judgeAll(sample, { ...settings, partial: () => partial });
    return scoreOf("changed lines", onLines.length, sample, linesOf<Verdict>(partial), {});
  } finally {
    rmSync(notes, { recursive: true });
  }
}

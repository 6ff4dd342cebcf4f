/** @file Which lines differ from another commit. */
import { spawnSync } from "node:child_process";
import type { Mutant } from "./mutant.ts";

/** New line numbers by file, from the text of `git diff --unified=0`. */
export function changedLines(diff: string): Map<string, Set<number>> {
  const changed = new Map<string, Set<number>>();
  let lines: Set<number> | undefined;
  for (const line of diff.split("\n")) {
    const file = /^\+\+\+ b\/(.*?)\t?$/.exec(line)?.[1];
    if (file !== undefined) {
      lines = new Set();
      changed.set(file, lines);
    }
    const hunk = /^@@ -\S+ \+(\d+)(?:,(\d+))? @@/.exec(line);
    if (!hunk || !lines) continue;
    const [first, count] = [Number(hunk[1]), Number(hunk[2] ?? 1)];
    for (let i = 0; i < count; i++) lines.add(first + i);
  }
  return changed;
}

/** Mutants that begin on a changed line. */
export function onChangedLines(
  mutants: readonly Mutant[],
  changed: ReadonlyMap<string, ReadonlySet<number>>,
): Mutant[] {
  return mutants.filter(({ file, line }) => changed.get(file)?.has(line));
}

/** What differs from `base`, committed or not, new files included; by default from where the branch left main, on main from the commit before. */
export function diffSince(root: string, base: string | undefined): string {
  const from = base ?? defaultBase(root);
  const tracked = git(root, ["diff", "--unified=0", "--no-color", from, "--", "src"]);
  const fresh = git(root, ["ls-files", "-o", "--exclude-standard", "-z", "src"]).split("\0").filter(Boolean);
  // Two files that differ are no failure.
  const untracked = fresh.map((file) => git(root, ["diff", "--unified=0", "--no-index", "--", "/dev/null", file], 1));
  return [tracked, ...untracked].join("\n");
}

function defaultBase(root: string): string {
  const base = git(root, ["merge-base", "HEAD", "main"]).trim();
  return base === git(root, ["rev-parse", "HEAD"]).trim() ? "HEAD~1" : base;
}

function git(root: string, words: readonly string[], mostStatus = 0): string {
  const { stdout, stderr, status } = spawnSync("git", words, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status === null || status > mostStatus) throw new Error(`git ${words.join(" ")} failed: ${stderr}`);
  return stdout;
}

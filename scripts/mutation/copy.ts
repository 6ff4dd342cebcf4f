/** @file A copy of the repository in which every mutant of a run waits to be made active. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { borrow, removeHome } from "../tree-beside.ts";
import { instrumented, type Numbered } from "./instrument.ts";

export interface Copy {
  /** The tree. */
  readonly root: string;
  /** What is known about it: its baseline. */
  readonly notes: string;
  remove(): void;
}

/** The copy of these files with these mutants; one that an interrupted run has left is used again. */
export function makeCopy(root: string, files: readonly string[], mutants: readonly Numbered[]): Copy {
  const home = join(tmpdir(), `lithe-mutation-${digest(root, files, mutants)}`);
  const copy = {
    root: join(home, "tree"),
    notes: join(home, "notes"),
    remove: () => removeHome(home, ["tree", "draft"]),
  };
  if (existsSync(copy.root)) return copy;
  const draft = join(home, "draft");
  removeHome(home, ["tree", "draft"]);
  mkdirSync(copy.notes, { recursive: true });
  for (const file of files) {
    mkdirSync(dirname(join(draft, file)), { recursive: true });
    cpSync(join(root, file), join(draft, file));
  }
  for (const [file, here] of byFile(mutants)) {
    writeFileSync(join(draft, file), instrumented(readFileSync(join(root, file), "utf8"), here));
  }
  borrow(root, home, "draft");
  build(draft);
  renameSync(draft, copy.root);
  return copy;
}

/** Tracked files, and those that git would track. */
export function filesOf(root: string): string[] {
  const { stdout, status } = spawnSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error("git does not list the files of the repository; mutants are taken from a checkout");
  const names = stdout.split("\0").filter((name) => name !== "" && existsSync(join(root, name)));
  return [...new Set(names)].sort();
}

function byFile(mutants: readonly Numbered[]): Map<string, Numbered[]> {
  const groups = new Map<string, Numbered[]>();
  for (const numbered of mutants) {
    const { file } = numbered.mutant;
    groups.set(file, [...(groups.get(file) ?? []), numbered]);
  }
  return groups;
}

/** Types are of no interest: the text of mutants has none. */
function build(tree: string): void {
  const tsc = join(tree, "node_modules/typescript/bin/tsc");
  const flags = ["-p", "tsconfig.build.json", "--noCheck", "--declaration", "false"];
  const { status, stdout } = spawnSync(process.execPath, [tsc, ...flags], { cwd: tree, encoding: "utf8" });
  if (status !== 0) throw new Error(`the copy with mutants does not build:\n${stdout}`);
}

function digest(root: string, files: readonly string[], mutants: readonly Numbered[]): string {
  const hash = createHash("sha1").update(JSON.stringify(mutants));
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)));
  return hash.digest("hex").slice(0, 12);
}

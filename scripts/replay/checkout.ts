/** @file The files of a commit in a temporary folder, with the installed packages and the shared models beside it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { borrow, removeHome } from "../tree-beside.ts";

export interface Checkout {
  /** The tree. */
  readonly root: string;
  /** A folder beside it for what is recorded. */
  readonly home: string;
  remove(): void;
}

/** @throws Error when git does not know the commit. */
export function checkOut(root: string, commit: string): Checkout {
  const home = mkdtempSync(join(tmpdir(), "lithe-replay-"));
  const tree = join(home, "tree");
  const remove = (): void => removeHome(home, ["tree"]);
  process.once("exit", remove);
  mkdirSync(tree);
  const archive = join(home, "tree.tar");
  run("git", ["archive", "--output", archive, commit], root);
  run("tar", ["-xf", archive, "-C", tree], root);
  borrow(root, home, "tree");
  return { root: tree, home, remove };
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed: ${stderr.trim()}`);
}

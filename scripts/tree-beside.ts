/** @file A copy of the repository in a folder of its own, which borrows what is no part of it. */
import { existsSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { basename, join } from "node:path";
import { sharedRoot } from "../test/shared-root.ts";

const shared = basename(sharedRoot);

/** Links the installed packages into the tree `home/name`, and real models and data beside it, where there are any. */
export function borrow(root: string, home: string, name: string): void {
  symlinkSync(realpathSync(join(root, "node_modules")), join(home, name, "node_modules"));
  if (existsSync(sharedRoot)) symlinkSync(realpathSync(sharedRoot), join(home, shared));
}

/** Removes the folder `home`; its links to what is outside go first. */
export function removeHome(home: string, names: readonly string[]): void {
  const links = [shared, ...names.map((name) => join(name, "node_modules"))];
  for (const link of links) rmSync(join(home, link), { force: true });
  rmSync(home, { recursive: true, force: true });
}

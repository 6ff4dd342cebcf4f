/** @file Whether tests can start ranks of Open MPI; those that need them skip by name where they cannot. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { describe } from "vitest";

function hasPackage(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

const hasMpi = spawnSync("mpirun", ["--version"]).status === 0 && hasPackage("koffi");

/** `describe`, skipped under a name that says why without `mpirun`. */
export function describeMpi(name: string, body: () => void): void {
  if (hasMpi) describe(name, body);
  else describe.skip(`${name} [needs mpirun]`, body);
}

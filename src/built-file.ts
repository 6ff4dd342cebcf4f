/** @file Node only: the built form of a file of this package, which threads and processes are started from. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { RuntimeError } from "./errors.ts";

/** The path of the built file `name` beside the module at `url`; from the sources (tests), the one under `dist/`. */
export function builtFile(url: string, name: string): string {
  const here = url.endsWith(".ts") ? url.replace("/src/", "/dist/") : url;
  const path = fileURLToPath(new URL(name, here));
  if (existsSync(path)) return path;
  throw new RuntimeError("a file of the package is missing", { expected: path, hint: "npm run build" });
}

/** @file Builds before the tests: sessions run in workers, whose files are those under `dist/`. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const workers = [
  "runtime/node/thread.js",
  "runtime/node/process.js",
  "runtime/node/group-process.js",
  "runtime/node/rank.js",
  "runtime/web/worker.js",
  "data/node/load-thread.js",
].map((name) => `${root}dist/${name}`);

/** Type errors are reported by `npm run types`; here a missing worker alone is fatal. */
export function setup(): void {
  if (isFresh()) return;
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const { stdout } = spawnSync(process.execPath, [tsc, "-p", `${root}tsconfig.build.json`], { encoding: "utf8" });
  const missing = workers.filter((path) => !existsSync(path));
  if (missing.length > 0) throw new Error(`the build made no ${missing.join(", ")}\n${stdout}`);
}

function isFresh(): boolean {
  const record = `${root}dist/build.tsbuildinfo`;
  if (![record, ...workers].every((path) => existsSync(path))) return false;
  const built = statSync(record).mtimeMs;
  const sources = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" });
  return sources.every((path) => statSync(`${root}src/${path}`).mtimeMs <= built);
}

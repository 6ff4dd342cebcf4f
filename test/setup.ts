/**
 * @file Builds before the tests, as sessions run in workers, whose files are those under `dist/`; and gives a run a cache of its own, so
 * that no test reads what another run measured.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const workers = [
  "runtime/node/thread.js",
  "runtime/node/process.js",
  "runtime/node/group-process.js",
  "runtime/node/rank.js",
  "runtime/web/worker-wasm.js",
  "runtime/web/worker-webgpu.js",
  "data/node/load-thread.js",
].map((name) => `${root}dist/${name}`);

export function setup(): () => void {
  build();
  const cache = mkdtempSync(join(tmpdir(), "lithe-cache-"));
  process.env.XDG_CACHE_HOME = cache;
  return () => rmSync(cache, { recursive: true, force: true });
}

/** Type errors are reported by `npm run types`; here a missing worker alone is fatal. */
function build(): void {
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

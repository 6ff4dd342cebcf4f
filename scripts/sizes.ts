/** @file Lines of each folder of src/, without tests and generated code, at this commit and before it: `npm run sizes -- [REVISION]`. */
import { execFileSync } from "node:child_process";

const [before = "HEAD~1"] = process.argv.slice(2);

function git(...words: readonly string[]): string {
  return execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], maxBuffer: 2 ** 26 });
}

/** Lines by folder, of a revision or of the working tree. */
function linesAt(revision: string | undefined): Map<string, number> {
  const counted = git("grep", "-c", "", ...(revision ? [revision] : []), "--", "src/*.ts");
  const sizes = new Map<string, number>();
  for (const line of counted.trimEnd().split("\n")) {
    const [, path, count] = /^(?:[^:]*:)?(src\/[^:]+):(\d+)$/.exec(line) ?? [];
    if (!path || /\.test\.ts$|_pb\.ts$/.test(path) || generated.has(path)) continue;
    const folder = path.split("/").length > 2 ? path.split("/").slice(0, 2).join("/") : "src";
    sizes.set(folder, (sizes.get(folder) ?? 0) + Number(count));
  }
  return sizes;
}

/** Tables that scripts write. */
const generated: ReadonlySet<string> = new Set(["src/ops/schemas.ts", "src/ir/operator-attributes.ts"]);

function exists(revision: string): boolean {
  try {
    git("rev-parse", "--verify", `${revision}^{commit}`);
    return true;
  } catch {
    return false;
  }
}

const now = linesAt(undefined);
const then = exists(before) ? linesAt(before) : now;
const rows = [...new Set([...now.keys(), ...then.keys()])].sort();
const total = (sizes: ReadonlyMap<string, number>) => [...sizes.values()].reduce((sum, lines) => sum + lines, 0);
const row = (name: string, after: number, earlier: number) => {
  const change = after === earlier ? "" : `${after > earlier ? "+" : ""}${after - earlier}`;
  return `${name.padEnd(18)}${String(after).padStart(8)}${change.padStart(8)}`;
};
console.log(`Lines of code, and what changed since ${before}`);
for (const folder of rows) console.log(row(folder, now.get(folder) ?? 0, then.get(folder) ?? 0));
console.log(row("all", total(now), total(then)));

/**
 * @file Counts the files that adding a member of each family takes: adds a stand-in of each to a copy of the last commit and runs the
 * tests. Exit code 1 when they fail, or when a family takes more files than it may.
 *
 *     npm run members
 *     npm run members -- --only "a gate"
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Addition, Edit } from "./members/addition.ts";
import { additions } from "./members/additions.ts";
import { checkOut } from "./replay/checkout.ts";

const { values } = parseArgs({ options: { only: { type: "string" } } });
const chosen = additions.filter(({ what }) => values.only === undefined || what === values.only);
if (chosen.length === 0)
  throw new Error(`nothing is called ${values.only}: ${additions.map(({ what }) => what).join(", ")}`);

const { root, remove } = checkOut(fileURLToPath(new URL("../", import.meta.url)), "HEAD");
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
try {
  for (const edit of chosen.flatMap(({ edits }) => edits)) apply(edit);
  run("git", "init", "--quiet");
  renew();
  const counts = chosen.map((addition) => [addition.what, filesOf(addition), addition.most] as const);
  build("tsconfig.json");
  run("npx", "vitest", "run", "test/meta", "test/golden/replay.test.ts", ...chosen.flatMap(({ tests }) => tests));
  for (const [what, files, most] of counts) {
    console.log(`${what}: ${files.length} of at most ${most} (${files.join(", ")})`);
    if (files.length > most) process.exitCode = 1;
  }
} finally {
  remove();
}

function apply({ file, after, text }: Edit): void {
  const path = join(root, file);
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const place = after === undefined ? 0 : before.indexOf(after);
  if (place < 0) throw new Error(`${file} does not contain ${after}`);
  const end = place + (after?.length ?? 0);
  writeFileSync(path, before.slice(0, end) + text + before.slice(end));
}

/** What commands write: formats, lists of names, accepted digests, the table of operators. */
function renew(): void {
  run(
    "npx",
    "biome",
    "check",
    "--write",
    ...new Set(chosen.flatMap(({ edits }) => edits.map(({ file }) => file)).filter((file) => file.endsWith(".ts"))),
  );
  build("tsconfig.build.json");
  run("npx", "vitest", "run", "test/meta/public-api.test.ts", "test/golden/passes.test.ts", "--update");
  run("npm", "run", "--silent", "replay", "--", "--accept");
  run("node", "--import", "./scripts/typescript.mjs", "scripts/operators.ts");
}

/** With a memory of its own, since the installed packages, where the usual one lies, are those of this tree. */
function build(project: string): void {
  run("npx", "tsc", "-p", project, "--tsBuildInfoFile", `.${project}.buildinfo`);
}

function filesOf({ edits }: Addition): readonly string[] {
  return [...new Set(edits.map(({ file }) => file))];
}

function run(command: string, ...words: readonly string[]): void {
  const { status } = spawnSync(command, words, { cwd: root, stdio: ["ignore", "inherit", "inherit"] });
  if (status !== 0 && !words.includes("--accept")) throw new Error(`${command} ${words.join(" ")} failed`);
}

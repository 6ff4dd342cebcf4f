/**
 * @file Runs the benches one after another, each in a process of its own, and prints what they print.
 *
 *     npm run bench [-- NAME …]
 */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { UsageError } from "../src/errors.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));
const known = readdirSync(folder)
  .filter((name) => name.endsWith(".ts") && name !== "run.ts")
  .map((name) => name.replace(/\.ts$/, ""));

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !known.includes(name));
if (unknown !== undefined) {
  throw new UsageError("there is no such bench", { expected: known.join(", "), got: unknown });
}

console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}`);
for (const name of wanted.length > 0 ? wanted : known) {
  console.log(`\n${name}`);
  const script = fileURLToPath(new URL("../scripts/typescript.mjs", import.meta.url));
  process.stdout.write(
    execFileSync(process.execPath, ["--import", script, `${folder}${name}.ts`], { encoding: "utf8" }),
  );
}

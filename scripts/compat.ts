/**
 * @file Runs every form of the conformance cases and the shared models on the newest patch of the last six minor versions of
 * ONNX Runtime, native and wasm, and prints what an older one computes otherwise or refuses.
 *
 *     npm run compat [-- --only PATTERN] [--build node|web] [--versions 1.24.3,1.30.0] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compat, type Target } from "../test/compat/compat.ts";
import type { Build } from "../test/compat/runtime.ts";
import { builtSubjects, conformanceSubjects, realSubjects, type Subject } from "../test/compat/subjects.ts";
import { installed, recentVersions } from "../test/compat/versions.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    build: { type: "string" },
    versions: { type: "string" },
    json: { type: "string" },
  },
});

const cache = fileURLToPath(new URL("../node_modules/.cache/compat", import.meta.url));
const pattern = new RegExp(values.only);
const builds: readonly Build[] = values.build === undefined ? ["node", "web"] : [values.build as Build];

function* subjects(): Generator<Subject> {
  yield* builtSubjects(pattern);
  yield* conformanceSubjects(pattern);
  yield* realSubjects(pattern);
}

const versions = values.versions?.split(",") ?? (await recentVersions());
const targets: Target[] = [];
for (const version of versions) {
  const folder = await installed(version, cache);
  for (const build of builds) targets.push({ version, build, folder });
}
const result = await compat(subjects(), targets, (line) => console.error(line));
for (const { target, form, subject, kind, detail } of result.findings)
  console.log(`${target}\t${kind}\t${form}\t${subject}\t${detail}`);
console.log(JSON.stringify(result.tallies, undefined, 1));
if (values.json) writeFileSync(values.json, JSON.stringify(result));

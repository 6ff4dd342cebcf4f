/**
 * @file Runs every form of the conformance cases and the shared models on the newest patch of the last six minor versions of
 * ONNX Runtime, native and wasm, and prints what an older one computes otherwise or refuses.
 *
 *     npm run compat [-- --only PATTERN] [--build node|web] [--versions 1.24.3,1.30.0] [--json FILE]
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { compat } from "../test/compat/compat.ts";
import type { Build } from "../test/compat/runtime.ts";
import { allSubjects } from "../test/compat/subjects.ts";
import { installedTargets } from "../test/compat/versions.ts";

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    build: { type: "string" },
    versions: { type: "string" },
    json: { type: "string" },
  },
});

const pattern = new RegExp(values.only);
const builds: readonly Build[] = values.build === undefined ? ["node", "web"] : [values.build as Build];
const targets = await installedTargets(builds, values.versions?.split(","));
const result = await compat(allSubjects(pattern), targets, (line) => console.error(line));
for (const { target, form, subject, kind, detail } of result.findings)
  console.log(`${target}\t${kind}\t${form}\t${subject}\t${detail}`);
console.log(JSON.stringify(result.tallies, undefined, 1));
if (values.json) writeFileSync(values.json, JSON.stringify(result));

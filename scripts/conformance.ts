/**
 * @file Runs every check on every conformance case and prints the counts as JSON. `--update` writes the manifest,
 * `--only PATTERN` takes the cases whose names match.
 *
 *     npm run build && node --import ./scripts/typescript.mjs scripts/conformance.ts --update
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { allCases } from "../test/conformance/cases.ts";
import { type Failures, failuresOf } from "../test/conformance/checks.ts";
import { countsOf, formatManifest, parseManifest } from "../test/conformance/manifest.ts";
import { runtimeProcess } from "../test/conformance/runtime.ts";

const path = fileURLToPath(new URL("../test/onnx-backend.txt", import.meta.url));

const { values } = parseArgs({ options: { update: { type: "boolean", default: false }, only: { type: "string" } } });
const pattern = new RegExp(values.only ?? "");
const runtime = runtimeProcess();
const found = new Map<string, Failures>(values.only ? parseManifest(readFileSync(path, "utf8")) : []);
for (const test of allCases()) {
  if (!pattern.test(test.name)) continue;
  found.set(test.name, await failuresOf(test, runtime, () => true));
}
await runtime.close();
if (values.update) writeFileSync(path, formatManifest(found));
console.log(JSON.stringify(countsOf(found), undefined, 2));

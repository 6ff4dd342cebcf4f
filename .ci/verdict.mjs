// Prints the slowest tests and the count of tests, and fails when tests on real data were skipped although the data is there.
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { slowest } from "./slowest.mjs";

const result = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tests = result.testResults.flatMap((file) => file.assertionResults);
const skipped = tests.filter(({ status }) => status === "skipped" || status === "pending");
const hasShared = existsSync(fileURLToPath(new URL("../../shared", import.meta.url)));
const wrongly = hasShared ? skipped.filter(({ fullName }) => fullName.includes("[needs ../shared]")) : [];

for (const line of slowest(result)) console.log(line);
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
for (const { fullName } of wrongly) console.log(`skipped although ../shared is there: ${fullName}`);
console.log(`${result.numPassedTests} passed, ${result.numFailedTests} failed, ${skipped.length} skipped`);
process.exit(wrongly.length > 0 || result.numPassedTests === 0 ? 1 : 0);

// Prints the slowest tests and the count of tests, and fails when tests were skipped although what they need is there: real data, or Open MPI.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { slowest } from "./slowest.mjs";

const result = JSON.parse(readFileSync(process.argv[2], "utf8"));
const tests = result.testResults.flatMap((file) => file.assertionResults);
const skipped = tests.filter(({ status }) => status === "skipped" || status === "pending");
const hasShared = existsSync(fileURLToPath(new URL("../../shared", import.meta.url)));
const hasMpi = spawnSync("mpirun", ["--version"]).status === 0;
const means = [
  { mark: "[needs ../shared]", isThere: hasShared, name: "../shared" },
  { mark: "[needs mpirun]", isThere: hasMpi, name: "mpirun" },
];
const wrongly = means.flatMap(({ mark, isThere, name }) =>
  isThere ? skipped.filter(({ fullName }) => fullName.includes(mark)).map(({ fullName }) => ({ fullName, name })) : [],
);

for (const line of slowest(result)) console.log(line);
for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
for (const { fullName, name } of wrongly) console.log(`skipped although ${name} is there: ${fullName}`);
console.log(`${result.numPassedTests} passed, ${result.numFailedTests} failed, ${skipped.length} skipped`);
process.exit(wrongly.length > 0 || result.numPassedTests === 0 ? 1 : 0);

/**
 * @file Feeds mutated models to the codec and prints what became of them as JSON. Exit code 1 when a case crashed, changed
 * in a round trip, or took more than two seconds.
 *
 *     node --import ./scripts/typescript.mjs scripts/fuzz.ts --count 100000 --seed 1
 */
import { parseArgs } from "node:util";
import { fuzz, fuzzCorpus } from "../test/fuzz/fuzz.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "10000" }, seed: { type: "string", default: "1" } },
});
const report = fuzz(Number(values.count), Number(values.seed), fuzzCorpus());
console.log(JSON.stringify(report, undefined, 2));
if (report.failures.length > 0) process.exitCode = 1;

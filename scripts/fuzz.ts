/**
 * @file Feeds changed models to lithe and prints what became of them as JSON: of changed bytes to the codec, of changed fields (`--fields`)
 * to everything that lithe does with a model. Exit code 1 when a case crashed, broke what its stage promises, or took too long.
 *
 *     node --import ./scripts/typescript.mjs scripts/fuzz.ts --count 100000 --seed 1
 *     node --import ./scripts/typescript.mjs scripts/fuzz.ts --fields --count 1000 --from 5000
 */
import { parseArgs } from "node:util";
import { fuzz, fuzzCorpus } from "../test/fuzz/fuzz.ts";
import { fuzzFields } from "../test/fuzz/fuzz-processes.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    fields: { type: "boolean", default: false },
    from: { type: "string", default: "0" },
  },
});
const [count, seed, from] = [values.count, values.seed, values.from].map(Number) as [number, number, number];
const report = values.fields ? await fuzzFields({ from, to: from + count, seed }) : fuzz(count, seed, fuzzCorpus());
console.log(JSON.stringify(report, undefined, 2));
const slow = "slow" in report ? report.slow : [];
if (report.failures.length + slow.length > 0) process.exitCode = 1;

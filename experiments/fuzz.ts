/** @file Mutated models: whatever the bytes, a named error or a valid model. */
import { fuzz, fuzzCorpus } from "../test/fuzz/fuzz.ts";
import { type Experiment, markdownTable } from "./experiment.ts";

const COUNT = 100_000;
const SEED = 1;

interface Result {
  readonly count: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: number;
  readonly slowestMs: number;
}

export const fuzzing: Experiment<Result> = {
  name: "fuzz",
  claim: "100,000 mutated models: no crash, no hang, no unnamed error.",
  source: "lithe",
  workload:
    "Byte flips, truncation, inflated lengths, splices and duplicates of real and generated models, decoded, verified, encoded and decoded again.",
  seeds: [SEED],
  criterion: "there are no failures: every case ends in a named error or a round trip, within two seconds.",
  async run() {
    const report = fuzz(COUNT, SEED, fuzzCorpus());
    return {
      count: report.cases,
      outcomes: report.outcomes,
      failures: report.failures.length,
      slowestMs: report.slowestMs,
    };
  },
  page: ({ count, outcomes, failures, slowestMs }) =>
    `${markdownTable(["outcome", "cases"], Object.entries(outcomes))}\n\n${count} cases, ${failures} failures, the slowest took ${slowestMs.toFixed(0)} ms.`,
};

/** @file Changed models: whatever the bytes or the fields, a named error or a result that keeps what its stage promises. */
import { fuzz, fuzzCorpus } from "../test/fuzz/fuzz.ts";
import { type FieldsReport, fuzzFields } from "../test/fuzz/fuzz-processes.ts";
import { type Experiment, type ExperimentContext, markdownTable } from "./experiment.ts";
import type { Judgement } from "./judgement.ts";

const COUNT = 100_000;
/** Cases of one part of the run, which is kept when it is done. */
const PART = 10_000;
/** Parts at a time. */
const LANES = 2;
const SEED = 1;

interface Result {
  readonly count: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly failures: number;
  readonly slowestMs: number;
  /** Absent in results from before fields were changed. */
  readonly fields?: Omit<FieldsReport, "failures"> & { readonly failures: readonly string[] };
}

export const fuzzing: Experiment<Result> = {
  name: "fuzz",
  claim: "100,000 models with changed bytes and 100,000 with changed fields: no signal, no hang, no unnamed error.",
  source: "lithe",
  workload:
    "Byte flips, truncation, inflated lengths, splices and duplicates of real and generated models, decoded, verified, encoded and decoded again. Fields of models (operators, domains, attributes, dims, dtypes, names, lists, subgraphs, functions, opsets, constants) set to hostile and foreign values, then inspected, cleaned, passed through every pass, every quantizer, the training step, the gradient and the preparation for a session, each in a share of the cases.",
  seeds: [SEED],
  criterion:
    "there are no failures: every case ends in a named error or a result that verifies, can be written, and keeps signature and integers; no process dies, no case takes a minute.",
  async run(context) {
    const report = fuzz(COUNT, SEED, fuzzCorpus());
    const fields = await fieldsIn(context);
    return {
      count: report.cases,
      outcomes: report.outcomes,
      failures: report.failures.length,
      slowestMs: report.slowestMs,
      fields,
    };
  },
  judge: ({ count, failures, slowestMs, fields }) => [
    { what: "changed bytes: no failures", holds: failures === 0, figure: `${failures} of ${count}` },
    fields
      ? {
          what: "changed fields: no failures",
          holds: fields.failures.length === 0,
          figure: `${fields.failures.length} of ${fields.cases}`,
        }
      : { what: "changed fields: no failures", holds: undefined, figure: "not measured yet" },
    {
      what: "no case takes a minute",
      holds: Math.max(slowestMs, fields?.slowestMs ?? 0) < 60_000,
      figure: `the slowest ${Math.max(slowestMs, fields?.slowestMs ?? 0).toFixed(0)} ms`,
    } satisfies Judgement,
  ],
  page: ({ count, outcomes, failures, slowestMs, fields }) =>
    [
      markdownTable(["outcome of changed bytes", "cases"], Object.entries(outcomes)),
      `${count} cases, ${failures} failures, the slowest took ${slowestMs.toFixed(0)} ms.`,
      ...(fields ? fieldsPage(fields) : ["Changed fields: not measured yet."]),
    ].join("\n\n"),
};

function fieldsPage({ outcomes, cases, valid, failures, slowestMs, slowest }: NonNullable<Result["fields"]>): string[] {
  return [
    markdownTable(["outcome of changed fields", "stages"], Object.entries(outcomes)),
    `${cases} cases, ${valid} of them still valid, ${failures.length} failures; the slowest stage took ${slowestMs.toFixed(0)} ms (${slowest}).`,
  ];
}

async function fieldsIn({ once, log }: ExperimentContext): Promise<FieldsReport> {
  const parts = Array.from({ length: COUNT / PART }, (_, i) => i * PART);
  const reports: FieldsReport[] = [];
  const lane = async (): Promise<void> => {
    for (let from = parts.shift(); from !== undefined; from = parts.shift()) {
      const work = { from, to: from + PART, seed: SEED };
      const report = await once(`fields ${from}`, () => fuzzFields(work));
      for (const failure of report.failures) log(failure);
      log(`${work.to} of ${COUNT}`);
      reports.push(report);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return reports.reduce(joined);
}

function joined(a: FieldsReport, b: FieldsReport): FieldsReport {
  const outcomes = { ...a.outcomes };
  for (const [name, count] of Object.entries(b.outcomes)) outcomes[name] = (outcomes[name] ?? 0) + count;
  const [slower] = [a, b].sort((x, y) => y.slowestMs - x.slowestMs);
  return {
    cases: a.cases + b.cases,
    outcomes,
    valid: a.valid + b.valid,
    failures: [...a.failures, ...b.failures],
    slowestMs: slower!.slowestMs,
    slowest: slower!.slowest,
  };
}

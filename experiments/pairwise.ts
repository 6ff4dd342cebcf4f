/** @file Attributes in combination: the evaluator, inference and every gradient against ONNX Runtime. */
import { families } from "../test/pairwise/families/index.ts";
import { judge } from "../test/pairwise/verdicts.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import { everyOne } from "./judgement.ts";

const SEED = 1;

interface Row {
  readonly family: string;
  readonly cases: number;
  readonly comparisons: number;
  /** What differs, and how. */
  readonly differences: readonly string[];
  /** Cases by what the runtime says when it does not run them. */
  readonly refused: Readonly<Record<string, number>>;
  readonly withoutGradient: Readonly<Record<string, number>>;
  /** Cases by the fault of the runtime that they meet. */
  readonly known: Readonly<Record<string, number>>;
}

async function rowOf({ name, cases }: (typeof families)[number]): Promise<Row> {
  const all = cases(SEED);
  const [refused, withoutGradient, known] = [
    new Map<string, number>(),
    new Map<string, number>(),
    new Map<string, number>(),
  ];
  const count = (into: Map<string, number>, reason: string | undefined): void => {
    if (reason !== undefined) into.set(reason, (into.get(reason) ?? 0) + 1);
  };
  const differences: string[] = [];
  let comparisons = 0;
  for (const one of all) {
    const verdict = await judge(one, SEED);
    comparisons += verdict.checks.length;
    count(refused, verdict.refused?.replaceAll(/\d+/g, "#"));
    count(withoutGradient, verdict.withoutGradient);
    count(known, verdict.known);
    differences.push(...verdict.differences.map(({ check, how }) => `${one.name}: ${check}: ${how}`));
  }
  const [byRefusal, byReason, byFault] = [refused, withoutGradient, known].map((map) => Object.fromEntries(map));
  return {
    family: name,
    cases: all.length,
    comparisons,
    differences,
    refused: byRefusal!,
    withoutGradient: byReason!,
    known: byFault!,
  };
}

function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, n) => sum + n, 0);
}

export const pairwise: Experiment<readonly Row[]> = {
  name: "pairwise",
  claim: "Attributes in combination: evaluator, inference and gradients do what ONNX Runtime does.",
  source: "lithe",
  workload:
    "For every operator with a gradient and most of the evaluator's, cases in which every two values of every two attributes, inputs, ranks and opsets occur together (covering arrays). The evaluator and inferred dims, with fixed and with symbolic lengths, against ONNX Runtime without optimisations; the gradient against central differences through the evaluator in float64 and through ONNX Runtime, and its graph on ONNX Runtime, built with fixed and with symbolic lengths.",
  seeds: [SEED],
  criterion: "nothing differs.",
  async run({ once, log }) {
    const rows: Row[] = [];
    for (const one of families) {
      log(one.name);
      rows.push(await once(one.name, () => rowOf(one)));
    }
    return rows;
  },
  judge: (rows) => [
    everyOne(
      "nothing differs, in any family",
      rows,
      ({ differences }) => differences.length === 0,
      ({ family, differences }) => `${family}: ${differences.length}`,
    ),
  ],
  page(rows) {
    const table = markdownTable(
      [
        "family",
        "cases",
        "comparisons",
        "differ",
        "not run by the runtime",
        "no gradient, by name",
        "fault of the runtime",
      ],
      rows.map((row) => [
        row.family,
        row.cases,
        row.comparisons,
        row.differences.length,
        total(row.refused),
        total(row.withoutGradient),
        total(row.known),
      ]),
    );
    const sum = (of: (row: Row) => number): number => rows.reduce((n, row) => n + of(row), 0);
    const reasons = [...new Set(rows.flatMap(({ known }) => Object.keys(known)))];
    return [
      table,
      `${sum((row) => row.cases)} cases, ${sum((row) => row.comparisons)} comparisons, ${sum((row) => row.differences.length)} differ.`,
      `Faults of the runtime, left out by name: ${reasons.join("; ")}.`,
    ].join("\n\n");
  },
};

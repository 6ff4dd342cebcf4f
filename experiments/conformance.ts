/** @file ONNX's own conformance cases, through six checks. */
import { readFileSync } from "node:fs";
import { countsOf, parseManifest } from "../test/conformance/manifest.ts";
import { type Experiment, markdownTable } from "./experiment.ts";
import type { Judgement } from "./judgement.ts";

type Result = ReturnType<typeof countsOf>;

export const conformance: Experiment<Result> = {
  name: "conformance",
  claim:
    "Every conformance case decodes, verifies and survives a round trip, and all that ONNX Runtime passes by itself it passes after lithe's round trip.",
  source: "ONNX backend tests (node, simple, pytorch-converted, pytorch-operator, light)",
  workload:
    "The manifest `test/onnx-backend.txt`, which `npm run conformance -- --update` writes by running every check on every case and `test/laws/conformance.test.ts` keeps.",
  seeds: [],
  criterion: "decode, verify and round-trip pass on all cases.",
  async run() {
    return countsOf(parseManifest(readFileSync(new URL("../test/onnx-backend.txt", import.meta.url), "utf8")));
  },
  judge: ({ all }) =>
    (["decode", "verify", "round-trip"] as const).map(
      (check): Judgement => ({
        what: `${check} passes on all cases`,
        holds: all.passed[check] === all.cases,
        figure: `${all.passed[check]} of ${all.cases}`,
      }),
    ),
  page({ all, suites }) {
    const checks = Object.keys(all.passed) as (keyof typeof all.passed)[];
    const row = (name: string, counts: typeof all) => [
      name,
      counts.cases,
      ...checks.map((check) => counts.passed[check]),
    ];
    const rows = [...Object.entries(suites).map(([name, counts]) => row(name, counts)), row("all", all)];
    const note =
      "`shapes`: inferred dims of every output equal the real ones (the rest depend on values). `runtime`: the case passes on ONNX Runtime after lithe's round trip; " +
      "the others fail on the original bytes too. `reference`: lithe's float64 evaluator.";
    return `${markdownTable(["suite", "cases", ...checks], rows)}\n\n${note}`;
  },
};

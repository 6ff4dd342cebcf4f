/** @file The command that does a job again. */
import { relative } from "node:path";
import type { JobOptions } from "./job-options.ts";

/** The command line with every option written out; paths as they were given. */
export function commandLine(path: string, options: JobOptions): string {
  const {
    data,
    preset,
    preprocess,
    labels,
    calibrationSamples,
    evalSamples,
    maxDrop,
    goal,
    budget,
    ep,
    threads,
    batch,
    seed,
    checkEp,
  } = options;
  const flags: readonly (readonly [string, string | number | undefined])[] = [
    ["data", data],
    ["preset", preset],
    ["preprocess", preprocess],
    ["labels", labels],
    ["calibration-samples", calibrationSamples],
    ["eval-samples", evalSamples],
    ["max-drop", maxDrop],
    ["goal", goal],
    ["budget", `${budget}s`],
    ["ep", ep],
    ["threads", threads],
    ["batch", batch],
    ["weight-bits", options.weightBits],
    ["check-ep", checkEp.length > 0 ? checkEp.join(",") : "none"],
    ["seed", seed],
  ];
  const given = flags
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `--${name} ${quoted(String(value))}`);
  return `npx lithe accelerate ${quoted(relative("", path) || path)} ${given.join(" ")}`;
}

function quoted(text: string): string {
  return /^[\w./,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

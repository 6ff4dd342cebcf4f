/** @file The command that does a job again. */
import { basename, relative } from "node:path";
import type { JobOptions } from "../accelerate/job-options.ts";

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
    allowError,
    goal,
    maxSlowdown,
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
    ["allow-error", allowError],
    ["goal", goal],
    ["max-slowdown", maxSlowdown],
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
  return invocation("accelerate", quoted(relative("", path) || path), ...given);
}

/** The command line of what was given, without where the result goes. */
export function commandOf(command: string, path: string, flags: object): string {
  const elsewhere = new Set(["dryRun", "out", "json"]);
  const dashed = (name: string) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  const given = Object.entries(flags).filter(([name, value]) => value !== undefined && !elsewhere.has(name));
  const words = given.map(([name, value]) =>
    value === true ? `--${dashed(name)}` : `--${dashed(name)} ${quoted(String(value))}`,
  );
  return invocation(command, quoted(basename(path)), ...words);
}

/** How a user starts a command. The registry's `lithe` is somebody else's package; ours is called `litheml`. */
export function invocation(...words: readonly string[]): string {
  return ["npx", "litheml", ...words].join(" ");
}

function quoted(text: string): string {
  return /^[\w./,:=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

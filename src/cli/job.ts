/** @file Runs an acceleration from files to files: validation first, a run folder, the model and its report last. */
import { createHash } from "node:crypto";
import { basename, join, relative } from "node:path";
import {
  type Accelerated,
  type AccelerateEvent,
  accelerate,
  type CandidateStore,
  type Goal,
} from "../accelerate/index.ts";
import { writeAtomically } from "../atomic-file.ts";
import { CancelledError } from "../errors.ts";
import { loadModel } from "../onnx/files.ts";
import { formatPercent, formatRatio, openRunFolder, type RunFolder, reportPage } from "../report/index.ts";
import type { ExecutionProvider } from "../runtime/index.ts";
import type { Console, Outcome } from "./command.ts";
import { knownFormTable } from "./form-cache.ts";
import { jobReport } from "./job-report.ts";
import { fingerprint, type LoadedData, loadData } from "./load.ts";
import type { DataOptions, RuntimeOptions } from "./options.ts";

export interface JobOptions extends RuntimeOptions, DataOptions {
  readonly maxDrop: number;
  readonly goal: Goal;
  readonly budget: number;
  readonly weightBits?: "auto" | "7" | "8";
  readonly checkEp: readonly ExecutionProvider[];
  readonly out?: string;
  readonly resume?: boolean;
  readonly dryRun?: boolean;
}

export interface JobTarget {
  readonly path: string;
  readonly title: string;
  /** A folder, or the `.onnx` file to write. */
  readonly out: string;
  /** Data that no path names. */
  readonly data?: LoadedData;
  /** The command that does the same again. */
  readonly command?: string;
}

export async function runJob(target: JobTarget, options: JobOptions, console: Console): Promise<Outcome> {
  const { path, out } = target;
  const model = await loadModel(path);
  const file = await fingerprint(path);
  const data = target.data ?? (await loadData(model, options));
  const { goal, maxDrop, budget, ep, threads, seed } = options;
  console.say(`${basename(path)}: ${data.source}, goal ${goal}, at most ${formatPercent(maxDrop)} lost, ${budget} s`);
  for (const assumption of data.assumptions) console.say(`assumed: ${assumption}`);
  if (options.dryRun)
    return { result: { dryRun: true, model: file, data: data.source, assumptions: data.assumptions, goal, maxDrop } };

  const folder = await openRunFolder(
    out.endsWith(".onnx") ? out.replace(/\.onnx$/, "-run") : out,
    runConfig(target, options, file.sha256),
    {
      resume: options.resume === true,
    },
  );
  const formTable = await knownFormTable(ep, threads);
  const run = accelerate(model, {
    ...(formTable && { formTable }),
    calibration: data.calibration,
    evaluation: data.evaluation,
    ep,
    threads,
    maxDrop,
    goal,
    seed,
    budgetSeconds: budget,
    weightBits: weightBitsOf(options),
    otherProviders: options.checkEp,
    originalBytes: file.bytes,
    store: storeIn(folder),
    signal: console.signal,
  });
  try {
    for await (const event of run) {
      if (event.type !== "progress") await folder.record(event);
      tell(event, console);
    }
    return await finish(target, options, await run.result, { folder, file, data, model }, console);
  } catch (error) {
    if (error instanceof CancelledError) throw interrupted(error, folder);
    throw error;
  }
}

function weightBitsOf({ weightBits }: JobOptions): "auto" | 7 | 8 {
  return weightBits === "7" ? 7 : weightBits === "8" ? 8 : "auto";
}

interface JobParts {
  readonly folder: RunFolder;
  readonly file: { readonly sha256: string; readonly bytes: number };
  readonly data: LoadedData;
  readonly model: Parameters<typeof accelerate>[0];
}

async function finish(
  target: JobTarget,
  options: JobOptions,
  result: Accelerated,
  { folder, file, data, model }: JobParts,
  console: Console,
): Promise<Outcome> {
  const name = basename(target.path).replace(/\.onnx$/, "");
  const chosen = target.out.endsWith(".onnx") ? target.out : join(target.out, `${name}${suffix(result.form)}.onnx`);
  await writeAtomically(chosen, result.bytes);
  const chosenFile = {
    name: basename(chosen),
    sha256: createHash("sha256").update(result.bytes).digest("hex"),
    bytes: result.bytes.byteLength,
  };
  const report = await jobReport({
    title: target.title,
    command: target.command ?? commandLine(target.path, options),
    seed: options.seed,
    name: basename(target.path),
    original: model,
    originalFile: file,
    chosenFile,
    data,
    bound: { maxDrop: options.maxDrop, goal: options.goal, budgetSeconds: options.budget },
    result,
  });
  await folder.write("report.json", `${JSON.stringify(report, null, 1)}\n`);
  const page = await folder.write("report.html", reportPage(report));
  await folder.finish();
  console.say("");
  console.say(report.verdict.sentence);
  console.say(`model:  ${chosen}`);
  console.say(`report: ${page}`);
  return {
    result: {
      chosen: { ...report.chosen, file: chosen },
      candidates: report.candidates,
      report: page,
      faster: result.faster,
    },
  };
}

function tell(event: AccelerateEvent, { say, progress }: Console): void {
  if (event.type === "warning") say(`${event.code}: ${event.message}`);
  if (event.type === "progress") progress(event);
  if (event.type === "stage" && event.detail !== "")
    progress({ stage: event.name, done: 0, total: 0, detail: event.detail });
  if (event.type !== "candidate") return;
  const { form, accepted, reason, comparison } = event.candidate;
  const figures = comparison
    ? `${formatRatio(comparison.latency.ratio)} faster, ${formatRatio(comparison.size.ratio)} smaller; `
    : "";
  say(`${accepted ? "✓" : "✗"} ${form}: ${accepted ? "" : figures}${reason}`);
}

/** Names of files as the ecosystem has them. */
function suffix(form: string): string {
  if (form === "float16") return "_fp16";
  const weightOnly = /^weight-only.*?(\d)-bit/.exec(form);
  if (weightOnly) return `_q${weightOnly[1]}`;
  return form === "cleaned" || form === "original" ? "_cleaned" : "_quantized";
}

/** All that the result depends on; a resumed run must have the same. */
function runConfig({ path, out }: JobTarget, options: JobOptions, sha256: string): object {
  const { resume: _, dryRun: __, ...rest } = options;
  return { command: "accelerate", model: basename(path), sha256, ...rest, out: basename(out) };
}

function storeIn(folder: RunFolder): CandidateStore {
  return {
    async load(form) {
      const part = await folder.load(form);
      return part?.bytes && { comparison: part.facts as Accelerated["comparison"], bytes: part.bytes };
    },
    keep: (form, comparison, bytes) => folder.keep(form, { facts: comparison, bytes }),
  };
}

function interrupted(error: CancelledError, folder: RunFolder): CancelledError {
  const hint = `Finished forms are kept in ${relative("", folder.path)}; the same command with --resume goes on.`;
  return new CancelledError("interrupted", { hint, cause: error });
}

/** The command line with every option written out; paths as they were given. */
function commandLine(path: string, options: JobOptions): string {
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

/** @file The files of a job: the run folder while it works, the model and its report when it is done. */
import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import type { Accelerated, CandidateStore } from "../../accelerate/index.ts";
import { writeAtomically } from "../../atomic-file.ts";
import type { Model } from "../../ir/index.ts";
import { type JobReport, type RunFolder, reportPage } from "../../report/index.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import type { RunPlace } from "../run/in-run-folder.ts";
import { checkOutputFile, checkOutputFolder, runFolderOf } from "../run/output.ts";
import { commandLine, decidingSettings } from "../settings/command-line.ts";
import { dropState } from "../technique/context.ts";
import type { PlannedChanges } from "./changes.ts";
import { accelerateSettings, type JobOptions, type JobTarget } from "./job-options.ts";
import { jobReport } from "./job-report.ts";

export interface JobInput {
  readonly model: Model;
  readonly file: { readonly sha256: string; readonly bytes: number };
  readonly data: LoadedData;
  readonly planned?: PlannedChanges;
}

export async function checkTarget(target: JobTarget, options: JobOptions): Promise<void> {
  const { data, trainData, labels, preprocess } = options;
  const sources = [target.path, data, trainData, labels, preprocess];
  if (target.out.endsWith(".onnx")) await checkOutputFile(target.out, sources);
  await checkOutputFolder(runFolderOf(target.out));
}

/** The run folder; a resumed run must have been given the same, except for the time it may take. */
export function placeOf(target: JobTarget, options: JobOptions, sha256: string): RunPlace {
  const { path, out } = target;
  const deciding = decidingSettings(accelerateSettings, options);
  const identity = { command: "accelerate", model: basename(path), sha256, ...deciding, out: basename(out) };
  return { path: runFolderOf(out), identity, resume: options.resume === true, kept: "Finished forms are kept" };
}

/** Finished candidates as parts of the run folder. */
export function storeIn(folder: RunFolder): CandidateStore {
  return {
    async load(form) {
      const part = await folder.load(form);
      if (!part?.bytes) return undefined;
      return { comparison: withInfinities(part.facts as Accelerated["comparison"]), bytes: part.bytes };
    },
    keep: (form, { comparison, bytes }) => folder.keep(form, { facts: comparison, bytes }),
  };
}

/** JSON has no infinity: it was kept as `null`, which must not pass for 0. */
function withInfinities(comparison: Accelerated["comparison"]): Accelerated["comparison"] {
  const { agreement } = comparison;
  const far = <T extends { readonly relative: number; readonly maxAbs: number }>(distance: T): T => ({
    ...distance,
    relative: distance.relative ?? Number.POSITIVE_INFINITY,
    maxAbs: distance.maxAbs ?? Number.POSITIVE_INFINITY,
  });
  return { ...comparison, agreement: { ...far(agreement), perOutput: agreement.perOutput.map(far) } };
}

export interface WrittenJob {
  readonly report: JobReport;
  /** Paths. */
  readonly model: string;
  readonly page: string;
}

/** Writes the model, then the report; the parts that only served to resume go. */
export async function writeJob(
  target: JobTarget,
  options: JobOptions,
  folder: RunFolder,
  { model, file, data }: JobInput,
  result: Accelerated,
): Promise<WrittenJob> {
  const { path, out, title } = target;
  const stem = basename(path).replace(/\.onnx$/, "");
  const chosen = out.endsWith(".onnx") ? out : join(out, `${stem}${suffix(result)}.onnx`);
  await writeAtomically(chosen, result.bytes);
  const report = await jobReport({
    title,
    command: target.command ?? commandLine("accelerate", [path], accelerateSettings, options),
    seed: options.seed,
    name: basename(path),
    original: model,
    originalFile: file,
    chosenFile: { name: basename(chosen), sha256: digest(result.bytes), bytes: result.bytes.byteLength },
    data,
    bound: { maxDrop: options.maxDrop, goal: options.goal, budgetSeconds: options.budget },
    result,
  });
  await folder.write("report.json", `${JSON.stringify(report, null, 1)}\n`);
  const page = await folder.write("report.html", reportPage(report));
  await dropState(folder);
  return { report, model: chosen, page };
}

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Names of files as the ecosystem has them; of changed networks with how they were. */
function suffix({ form, steps = [] }: Pick<Accelerated, "form" | "steps">): string {
  if (steps.length === 0) return formSuffix(form);
  const own = form.slice(steps.join(" → ").length).replace(" → ", "");
  return `_pruned${own === "" ? "" : formSuffix(own)}`;
}

function formSuffix(form: string): string {
  if (form === "float16") return "_fp16";
  const weightOnly = /^weight-only.*?(\d)-bit/.exec(form);
  if (weightOnly) return `_q${weightOnly[1]}`;
  const isPlain = form === "cleaned" || form === "original" || form === "float32";
  return isPlain ? "_cleaned" : "_quantized";
}

/** @file `lithe parallelize MODEL --branches N`: blocks in sequence become branches, verified against the original. */
import { basename } from "node:path";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import type { Console, Outcome } from "../job/console.ts";
import { loadData } from "../job/data/load.ts";
import { fingerprint } from "../job/model/model-file.ts";
import { readied } from "../job/model/readied.ts";
import { checkOutputFile, checkOutputFolder, runFolderOf } from "../job/run/output.ts";
import {
  boundsOfNetwork,
  brokenBounds,
  outcomeLine,
  outcomeOf,
  requireLabels,
  showComparison,
} from "../job/verify/bounds.ts";
import { compareWithOriginal } from "../job/verify/compare-with-original.ts";
import { loadModel, saveModel } from "../onnx/files.ts";
import { formatChange, openRunFolder, parallelPage, type RunFolder } from "../report/index.ts";
import type { CommandModule } from "./command.ts";
import { declareParallelize, type ParallelizeFlags, parallelPath, requireSamples } from "./parallelize-flags.ts";
import { parallelized, planned } from "./parallelize-job.ts";
import { type ParallelFacts, parallelReport, spreadLatency } from "./parallelize-report.ts";

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const flags = given as unknown as ParallelizeFlags;
  requireSamples(flags);
  const out = flags.out ?? parallelPath(path!);
  if (!out.endsWith(".onnx")) throw new UsageError("the result is an .onnx file", { got: out });
  const place = runFolderOf(out);
  await checkOutputFile(out, [path, flags.data, flags.labels, flags.preprocess]);
  await checkOutputFolder(place);
  const original = await loadModel(path!);
  const data = await loadData(original, { ...flags, data: flags.data ?? "random" }, console);
  requireLabels(flags, data.hasLabels);
  const model = await readied(original, data, flags, console);
  const plan = planned(model, flags);
  if (flags.dryRun) {
    const { parts, depth } = plan;
    console.say(`parallel parts: ${parts}, sequential depth ${depth.before} → ${depth.after}; nothing was changed`);
    return { result: { dryRun: true, ...plan, out, data: data.source } };
  }
  const { out: _, ...config } = flags;
  const { sha256 } = await fingerprint(path!);
  const identity = { command: "parallelize", model: basename(path!), sha256, ...config };
  await using folder = await openRunFolder(place, identity);
  try {
    return await work({ path: path!, out, flags, original, data, runs: plan.runs }, model, folder, console);
  } catch (error) {
    await folder.abandon();
    throw error;
  }
}

type Job = Pick<ParallelFacts, "path" | "out" | "flags" | "original" | "data" | "runs">;

async function work(job: Job, model: Model, folder: RunFolder, console: Console): Promise<Outcome> {
  const { path, out, flags, original, data } = job;
  const found = await parallelized(model, data, flags, folder, console);
  const comparison = await compareWithOriginal(path, original, found.model, data, flags, console);
  const spread = await spreadLatency(original, found.model, data, flags, console);
  const broken = brokenBounds(comparison, boundsOfNetwork(flags));
  const isWritten = broken.length === 0;
  if (isWritten) await saveModel(out, found.model);
  const report = await parallelReport({ ...job, found, comparison, spread, broken });
  await folder.write("report.json", `${JSON.stringify(report, undefined, 1)}\n`);
  const page = await folder.write("report.html", parallelPage(report));
  await folder.finish();
  if (!console.json) {
    showComparison(comparison, data.source, broken, console);
    if (spread)
      console.say(`${spread.workers} workers: ${formatChange(spread.ratio, "faster", "slower")} than the original`);
    console.say(outcomeLine(out, broken));
    console.say(`report: ${page}`);
  }
  const { shape, depth, windows, curve, training } = report;
  const facts = { shape, depth, windows, curve, data: data.source, report: page };
  const rest = { ...(spread && { spread }), ...(training && { training }), ...outcomeOf(out, broken), broken };
  return { result: { ...comparison, ...facts, ...rest }, ok: isWritten };
}

export const command: CommandModule = { declare: declareParallelize, run };

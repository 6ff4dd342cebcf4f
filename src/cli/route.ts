/** @file `lithe route MODEL --experts E`: dense feed-forward blocks become mixtures of experts, verified against the original. */
import { measureActivity, routeModel, surveyRoute } from "../conditional/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import type { Console, Outcome } from "../job/console.ts";
import { loadData } from "../job/data/load.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { readied } from "../job/model/readied.ts";
import { requireSamplesFor } from "../job/recovery.ts";
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
import { openSession } from "../runtime/index.ts";
import type { CommandModule } from "./command.ts";
import { declareRoute, type RouteFlags, routedPath } from "./route-flags.ts";
import { recoveredRoute } from "./route-job.ts";

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const flags = given as unknown as RouteFlags;
  requireSamplesFor(flags.finetune === undefined ? undefined : "--finetune", flags.data);
  const out = flags.out ?? routedPath(path!);
  if (!out.endsWith(".onnx")) throw new UsageError("the result is an .onnx file", { got: out });
  await checkOutputFile(out, [path, flags.data, flags.labels, flags.preprocess]);
  if (flags.finetune !== undefined) await checkOutputFolder(runFolderOf(out));
  const original = await loadModel(path!);
  const data = await loadData(original, { ...flags, data: flags.data ?? "random" }, console);
  requireLabels(flags, data.hasLabels);
  const model = await readied(original, data, flags, console);
  const { experts, topK, method, balance, seed } = flags;
  const settings = { experts, topK, method, seed, ...(balance !== undefined && { balance }) };
  const blocks = surveyRoute(model, settings);
  const plan = { experts, topK, method, blocks, data: data.source };
  if (flags.dryRun) {
    console.say(`feed-forward blocks: ${blocks.length}, work per token × ${blocks[0]!.work}; nothing was changed`);
    return { result: { dryRun: true, ...plan, out } };
  }

  const activity = method === "split" ? await activityOn(model, data, flags, console) : undefined;
  const routed = routeModel(model, { ...settings, ...(activity && { activity }) });
  const recovered = await recoveredRoute({ path: path!, out, flags, data, model, routed }, console);
  const { model: result, ...trained } = recovered;
  const comparison = await compareWithOriginal(path!, original, result, data, flags, console);
  const broken = brokenBounds(comparison, boundsOfNetwork(flags));
  const isWritten = broken.length === 0;
  if (isWritten) await saveModel(out, result);
  if (!console.json) {
    console.say(`${blocks.length} feed-forward blocks of ${experts} experts, ${topK} per token`);
    showComparison(comparison, data.source, broken, console);
    console.say(outcomeLine(out, broken));
    if (trained.report !== undefined) console.say(`report: ${trained.report}`);
  }
  return {
    result: {
      ...comparison,
      ...plan,
      ...trained,
      ...outcomeOf(out, broken),
      broken,
    },
    ok: isWritten,
  };
}

/** Hidden units on the samples that are kept to choose by; none where there are no samples. */
async function activityOn(model: Model, data: LoadedData, { ep, threads }: RouteFlags, { signal }: Console) {
  if (!data.datasets) return undefined;
  async function* feeds() {
    for await (const batch of data.calibration()) yield batch.feeds;
  }
  return await measureActivity(model, feeds(), openSession, { ep, threads, signal });
}

export const command: CommandModule = { declare: declareRoute, run };

/** @file `lithe compare A B`: two models on the same inputs. */
import { basename } from "node:path";
import type { Command } from "commander";
import type { Console, Outcome } from "../job/console.ts";
import { loadData, timedBatches } from "../job/data/load.ts";
import { fingerprint } from "../job/model/model-file.ts";
import {
  between,
  type DataOptions,
  declareData,
  declareRuntime,
  type RuntimeOptions,
  whole,
} from "../job/settings/options.ts";
import { brokenBounds, showComparison } from "../job/verify/bounds.ts";
import { openOriginal } from "../job/verify/compare-with-original.ts";
import { firstDivergence } from "../job/verify/first-divergence.ts";
import { compareSessions, dependsOnData, openReplicated } from "../measure/index.ts";
import { loadModel } from "../onnx/files.ts";
import { openSession } from "../runtime/index.ts";
import type { CommandModule } from "./command.ts";

interface CompareOptions extends RuntimeOptions, DataOptions {
  readonly rounds: number;
  readonly maxDrop?: number;
  readonly minAgreement?: number;
  readonly divergence?: number;
}

function declare(command: Command): void {
  declareData(declareRuntime(command.argument("<a>", "an .onnx file, the reference").argument("<b>", "an .onnx file")))
    .option("--rounds <n>", "rounds of the latency comparison, at most", whole(1), 60)
    .option("--max-drop <share>", "fail when B is less accurate than A by more than this", between(0, 1))
    .option("--min-agreement <share>", "fail when fewer answers (or a smaller cosine) agree", between(0, 1))
    .option("--divergence <error>", "also find the first node whose relative error passes this", between(0, 10));
}

async function run(
  [pathA, pathB]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const options = given as unknown as CompareOptions;
  const [a, b] = [await loadModel(pathA!), await loadModel(pathB!)];
  const data = await loadData(a, { data: "random", ...options }, console);
  const { feeds, count } = await timedBatches(data, [a, b].some(dependsOnData));
  const { ep, threads, seed, rounds } = options;
  await using before = await openOriginal(pathA!, a, options);
  const stock = { ep, threads, stock: true, name: basename(pathB!), step: "comparing" };
  const { bytes } = await fingerprint(pathB!);
  await using after = await openReplicated(openSession, b, bytes, stock);
  const result = await compareSessions(
    { ...before, bytes: (await fingerprint(pathA!)).bytes },
    { ...after, bytes, model: b },
    { threads, batch: count, feeds, batches: data.evaluation(), rounds, seed, signal: console.signal },
  );
  const broken = brokenBounds(result, options);
  if (!console.json) showComparison(result, data.source, broken, console);
  const divergence =
    options.divergence === undefined ? undefined : await firstDivergence(a, b, feeds[0]!, options, console);
  return { result: { ...result, data: data.source, broken, ...divergence }, ok: broken.length === 0 };
}

export const command: CommandModule = { declare, run };

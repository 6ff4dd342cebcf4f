/** @file `lithe compare A B`: two models on the same inputs. */
import { basename } from "node:path";
import type { Command } from "commander";
import type { Model } from "../ir/index.ts";
import { loadModel } from "../onnx/files.ts";
import { formatNumber } from "../report/index.ts";
import { compareSessions, type Feeds, findDivergence, openSession, runtimeBuild } from "../runtime/index.ts";
import { brokenBounds, showComparison } from "./bounds.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { firstBatch, loadData } from "./load.ts";
import { fingerprint } from "./model-file.ts";
import { between, type DataOptions, declareData, declareRuntime, type RuntimeOptions, whole } from "./options.ts";

interface CompareOptions extends RuntimeOptions, DataOptions {
  readonly rounds: number;
  readonly maxDrop?: number;
  readonly minAgreement?: number;
  readonly divergence?: number;
}

function declare(command: Command): void {
  declareData(declareRuntime(command.argument("<a>", "an .onnx file, the reference").argument("<b>", "an .onnx file")))
    .option("--rounds <n>", "interleaved rounds of the latency comparison", whole(1), 60)
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
  const { feeds, count } = await firstBatch(data);
  const { ep, threads, seed } = options;
  await using sessionA = await openSession(a, { ep, threads, stock: true, step: "comparing" });
  await using sessionB = await openSession(b, { ep, threads, stock: true, name: basename(pathB!), step: "comparing" });
  const result = await compareSessions(
    { session: sessionA, bytes: (await fingerprint(pathA!)).bytes },
    { session: sessionB, bytes: (await fingerprint(pathB!)).bytes, model: b },
    {
      threads,
      batch: count,
      feeds,
      batches: data.evaluation(),
      rounds: options.rounds,
      seed,
      signal: console.signal,
    },
  );
  const broken = brokenBounds(result, options);
  if (!console.json) showComparison(result, data.source, broken, console);
  const divergence =
    options.divergence === undefined ? undefined : await firstDivergence(a, b, feeds, options, console);
  return { result: { ...result, data: data.source, broken, ...divergence }, ok: broken.length === 0 };
}

/** The first value of A that B computes under the same name with a larger error than the tolerance, on one batch. */
async function firstDivergence(
  a: Model,
  b: Model,
  feeds: Feeds,
  { divergence, ep, threads }: CompareOptions,
  { json, say }: Console,
) {
  const options = { ep, threads, stock: true, ...(divergence !== undefined && { tolerance: divergence }) };
  const { first, values } = await findDivergence(a, b, [feeds], openSession, options);
  const build = await runtimeBuild(ep);
  if (!json) {
    const where = first ? `${first.node}, relative error ${formatNumber(first.relative)}` : "none";
    say(`first divergence ${where} (${values.length} values of one name compared, ${build})`);
  }
  return { divergence: { first: first ?? null, compared: values.length, build } };
}

export const command: CommandModule = { declare, run };

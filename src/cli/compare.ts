/** @file `lithe compare A B`: two models on the same inputs. */
import type { Command } from "commander";
import { loadModel } from "../onnx/files.ts";
import { compareSessions, openSession } from "../runtime/index.ts";
import { brokenBounds, showComparison } from "./bounds.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { firstBatch, loadData } from "./load.ts";
import { fingerprint } from "./model-file.ts";
import { between, type DataOptions, declareData, declareRuntime, type RuntimeOptions, whole } from "./options.ts";

interface CompareOptions extends RuntimeOptions, DataOptions {
  readonly rounds: number;
  readonly maxDrop?: number;
  readonly minAgreement?: number;
}

function declare(command: Command): void {
  declareData(declareRuntime(command.argument("<a>", "an .onnx file, the reference").argument("<b>", "an .onnx file")))
    .option("--rounds <n>", "interleaved rounds of the latency comparison", whole(1), 60)
    .option("--max-drop <share>", "fail when B is less accurate than A by more than this", between(0, 1))
    .option("--min-agreement <share>", "fail when fewer answers (or a smaller cosine) agree", between(0, 1));
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
  await using sessionA = await openSession(a, { ep, threads });
  await using sessionB = await openSession(b, { ep, threads });
  const result = await compareSessions(
    { session: sessionA, bytes: (await fingerprint(pathA!)).bytes },
    { session: sessionB, bytes: (await fingerprint(pathB!)).bytes },
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
  return { result: { ...result, data: data.source, broken }, ok: broken.length === 0 };
}

export const command: CommandModule = { declare, run };

/** @file `lithe bench MODEL`: how fast it is. */
import type { Command } from "commander";
import type { Console, Outcome } from "../job/console.ts";
import { loadData, timedBatches } from "../job/data/load.ts";
import {
  declareInputs,
  declareRuntime,
  type InputOptions,
  type RuntimeOptions,
  seconds,
  whole,
} from "../job/settings/options.ts";
import { benchmark, dependsOnData, profileNodes } from "../measure/index.ts";
import { loadModel } from "../onnx/files.ts";
import { formatBytes, formatMilliseconds } from "../report/index.ts";
import { type NodeProfile, openSession } from "../runtime/index.ts";
import type { CommandModule } from "./command.ts";
import { table } from "./text-table.ts";

interface BenchOptions extends RuntimeOptions, InputOptions {
  readonly warmup: number;
  readonly rounds: number;
  readonly time: number;
  readonly profile?: boolean;
}

function declare(command: Command): void {
  declareInputs(declareRuntime(command.argument("<model>", "an .onnx file")))
    .option("--warmup <n>", "runs before the first that counts", whole(0), 5)
    .option("--rounds <n>", "runs that count, at most", whole(1), 200)
    .option("--time <time>", "seconds for the runs that count, at most", seconds, 20)
    .option("--profile", "time per node, too");
}

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const options = given as unknown as BenchOptions;
  const { ep, threads, batch = 1, warmup, rounds } = options;
  const model = await loadModel(path!);
  const data = await loadData(model, { data: "random", ...options }, console);
  const { feeds } = await timedBatches(data, dependsOnData(model));
  await using session = await openSession(model, { ep, threads, isolate: "process", stock: true, step: "timing" });
  const limits = { warmup, rounds, seconds: options.time, batch, signal: console.signal };
  const times = await benchmark(session, feeds, limits);
  const nodes = options.profile
    ? await profileNodes(openSession, model, feeds[0]!, { ep, threads, stock: true })
    : undefined;
  const result = { ep, threads, batch, data: data.source, ...times, ...(nodes && { nodes }) };
  if (!console.json) show(result, nodes, console);
  return { result };
}

function show(
  result: Awaited<ReturnType<typeof benchmark>> & { ep: string; threads: number; batch: number; data: string },
  nodes: readonly NodeProfile[] | undefined,
  { say }: Console,
): void {
  const { ep, threads, batch, data, p50, p95, min, throughput, firstRun, loadTime, peakMemory, rounds } = result;
  const inTurn = result.inputs > 1 ? `, ${result.inputs} inputs in turn` : "";
  say(`${ep}, ${threads} thread${threads === 1 ? "" : "s"}, batch ${batch}, ${data}, ${rounds} runs${inTurn}`);
  say(
    `p50 ${formatMilliseconds(p50)}, p95 ${formatMilliseconds(p95)}, min ${formatMilliseconds(min)}, ${throughput.toFixed(1)} samples/s`,
  );
  say(
    `loading ${formatMilliseconds(loadTime)}, first run ${formatMilliseconds(firstRun)}${peakMemory === undefined ? "" : `, peak memory ${formatBytes(peakMemory)}`}`,
  );
  if (!nodes) return;
  const total = nodes.reduce((sum, { micros }) => sum + micros, 0);
  const rows = nodes
    .slice(0, 30)
    .map(({ name, opType, provider, micros, calls }) => [
      name,
      opType,
      provider,
      (micros / calls).toFixed(1),
      `${((100 * micros) / total).toFixed(1)} %`,
    ]);
  for (const line of table(["node", "operator", "provider", "µs/run", "share"], rows)) say(line);
}

export const command: CommandModule = { declare, run };

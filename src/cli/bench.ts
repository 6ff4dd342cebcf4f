/** @file `lithe bench MODEL`: how fast it is. */

import * as z from "zod";
import type { Console, Outcome } from "../job/console.ts";
import { loadData, timedBatches } from "../job/data/load.ts";
import { inputSettings, runtimeSettings } from "../job/settings/settings.ts";
import { benchmark, dependsOnData, profileNodes } from "../measure/index.ts";
import { loadModel } from "../onnx/files.ts";
import { openSession } from "../runtime/index.ts";
import { flag, seconds, setting, whole } from "../settings/index.ts";
import { showBenchmark } from "./bench-text.ts";
import { defineCommand } from "./command.ts";

const settings = z.strictObject({
  ...runtimeSettings,
  ...inputSettings,
  warmup: setting("--warmup <n>", "runs before the first that counts", whole(0).default(5)),
  rounds: setting("--rounds <n>", "runs that count, at most", whole(1).default(200)),
  time: setting("--time <time>", "seconds for the runs that count, at most", seconds().default(20)),
  profile: setting("--profile", "time per node, too", flag().exactOptional()),
});

async function run([path]: readonly string[], options: z.output<typeof settings>, console: Console): Promise<Outcome> {
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
  if (!console.json) showBenchmark(result, nodes, console);
  return { result };
}

export const command = defineCommand({ operands: [["<model>", "an .onnx file"]], settings, run });

/** @file `lithe demo`: trains, then accelerates, on what the package brings along. */

import { join } from "node:path";
import * as z from "zod";
import { runJob } from "../job/accelerate/job.ts";
import { formSettings } from "../job/accelerate/job-options.ts";
import type { Console, Outcome } from "../job/console.ts";
import { checkOutputFolder } from "../job/run/output.ts";
import { commandLine } from "../job/settings/command-line.ts";
import { runtimeSettings } from "../job/settings/settings.ts";
import { trainDemo } from "../job/training/demo-training.ts";
import { flag, seconds, setting, text } from "../settings/index.ts";
import { defineCommand } from "./command.ts";

const place = { role: "place" } as const;

const settings = z.strictObject({
  out: setting("-o, --out <folder>", "where models and reports go", text().default(join("lithe-out", "demo")), place),
  budget: setting("--budget <time>", "time for the acceleration", seconds().default(75)),
  threads: runtimeSettings.threads,
  seed: runtimeSettings.seed,
  resume: setting("--resume", "go on with an interrupted run", flag().exactOptional(), place),
});

async function run(_: readonly string[], options: z.output<typeof settings>, console: Console): Promise<Outcome> {
  const { out, budget, threads, seed } = options;
  await checkOutputFolder(out);
  const command = commandLine("demo", [], settings, options);
  console.say("1. training: the network gets a new head, which learns the glyphs together with the last two blocks");
  const { file, page, training } = await trainDemo(options, command, console);
  console.say(`report of the training: ${page}`);
  console.say("");
  console.say("2. acceleration of the trained network");
  const accelerated = await runJob(
    { path: file, title: "lithe demo: ten drawn glyphs", out, command },
    formSettings.parse({ ...acceleration, threads, seed, budget, resume: options.resume === true }),
    console,
  );
  return { ...accelerated, result: { training: { report: page, ...training }, ...accelerated.result } };
}

const acceleration = {
  ep: "cpu",
  data: "demo",
  calibrationSamples: 128,
  evalSamples: 1000,
  maxDrop: 0.01,
  goal: "balanced",
  checkEp: ["wasm"],
} as const;

export const command = defineCommand({ operands: [], settings, run });

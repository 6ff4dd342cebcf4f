/** @file `lithe demo`: trains, then accelerates, on what the package brings along. */
import { join } from "node:path";
import type { Command } from "commander";
import { runJob } from "../job/accelerate/job.ts";
import type { Console, Outcome } from "../job/console.ts";
import { checkOutputFolder } from "../job/run/output.ts";
import { invocation } from "../job/settings/command-line.ts";
import { seconds, whole } from "../job/settings/options.ts";
import { type DemoTraining, trainDemo } from "../job/training/demo-training.ts";
import type { CommandModule } from "./command.ts";

interface DemoOptions extends DemoTraining {
  readonly budget: number;
}

function declare(command: Command): void {
  command
    .option("-o, --out <folder>", "where models and reports go", join("lithe-out", "demo"))
    .option("--budget <time>", "time for the acceleration", seconds, 75)
    .option("--threads <n>", "threads within an operator", whole(1), 1)
    .option("--seed <n>", "seed of everything random", whole(0), 1)
    .option("--resume", "go on with an interrupted run");
}

async function run(_: readonly string[], given: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome> {
  const options = given as unknown as DemoOptions;
  const { out, budget, threads, seed } = options;
  await checkOutputFolder(out);
  const command = invocation("demo", `--budget ${budget}s`, `--threads ${threads}`, `--seed ${seed}`);
  console.say("1. training: the network gets a new head, which learns the glyphs together with the last two blocks");
  const { file, page, training } = await trainDemo(options, command, console);
  console.say(`report of the training: ${page}`);
  console.say("");
  console.say("2. acceleration of the trained network");
  const accelerated = await runJob(
    { path: file, title: "lithe demo: ten drawn glyphs", out, command },
    { ...acceleration, threads, seed, budget, resume: options.resume ?? false },
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

export const command: CommandModule = { declare, run };

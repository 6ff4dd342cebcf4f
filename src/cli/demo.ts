/** @file `lithe demo`: the whole job on what the package brings along. */
import { copyFile, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { runJob } from "./job.ts";
import { seconds, whole } from "./options.ts";
import { checkOutputFolder } from "./output.ts";

const demoModel = new URL("../../assets/demo/glyph-net.onnx", import.meta.url);

interface DemoOptions {
  readonly out: string;
  readonly budget: number;
  readonly threads: number;
  readonly seed: number;
  readonly resume?: boolean;
}

function declare(command: Command): void {
  command
    .option("-o, --out <folder>", "where model and report go", join("lithe-out", "demo"))
    .option("--budget <time>", "time for the whole job", seconds, 75)
    .option("--threads <n>", "threads within an operator", whole(1), 1)
    .option("--seed <n>", "seed of everything random", whole(0), 1)
    .option("--resume", "go on with an interrupted run");
}

async function run(_: readonly string[], given: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome> {
  const { out, budget, threads, seed, resume = false } = given as unknown as DemoOptions;
  await checkOutputFolder(out);
  const path = join(out, "glyphs.onnx");
  await mkdir(out, { recursive: true });
  await copyFile(fileURLToPath(demoModel), path);
  const options = {
    ep: "cpu",
    threads,
    seed,
    budget,
    resume,
    data: "demo",
    calibrationSamples: 128,
    evalSamples: 1000,
    maxDrop: 0.01,
    goal: "balanced",
    checkEp: ["wasm"],
  } as const;
  const command = `npx lithe demo --budget ${budget}s --threads ${threads} --seed ${seed}`;
  return runJob({ path, title: "lithe demo: ten drawn glyphs", out, command }, options, console);
}

export const command: CommandModule = { declare, run };

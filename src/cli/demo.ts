/** @file `lithe demo`: trains, then accelerates, on what the package brings along. */
import { join } from "node:path";
import type { Command } from "commander";
import { demoModelPath, glyphs } from "../data/index.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { runJob } from "./job.ts";
import { seconds, whole } from "./options.ts";
import { checkOutputFolder } from "./output.ts";
import { configSchema } from "./training/training-config.ts";
import { runTraining } from "./training/training-job.ts";

interface DemoOptions {
  readonly out: string;
  readonly budget: number;
  readonly threads: number;
  readonly seed: number;
  readonly resume?: boolean;
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
  const command = `npx lithe demo --budget ${budget}s --threads ${threads} --seed ${seed}`;
  console.say("1. training: the network gets a new head, which learns the glyphs together with the last two blocks");
  const { file, page, training } = await train(options, command, console);
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

/** On pictures that the shipped network was not trained on; `scripts/demo-network.ts` made it from those of seed 0. */
async function train({ out, threads, seed, resume = false }: DemoOptions, command: string, console: Console) {
  const config = configSchema.parse({
    model: await demoModelPath(),
    data: "the embedded glyphs",
    head: {},
    freeze: ["stem/*", "block1/*", "block2/*", "block3/*", "block4/*"],
    batchNorm: "frozen",
    epochs: 2,
    batch: 64,
    learningRate: 2e-3,
    seed,
    threads,
  });
  const drawn = (split: "train" | "calibration", size: number) => glyphs({ split, size, seed: 1, port });
  const data = { training: drawn("train", 4000), validation: drawn("calibration", 500) };
  const target = {
    title: "lithe demo: training",
    name: "glyphs",
    out: join(out, "glyphs.onnx"),
    resume,
    command,
    data,
  };
  return await runTraining(target, config, console);
}

const port = { name: "image", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;

export const command: CommandModule = { declare, run };

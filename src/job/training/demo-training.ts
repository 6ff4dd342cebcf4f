/** @file The training of `lithe demo`: a new head for the shipped network. */
import { join } from "node:path";
import { demoModelPath, glyphs } from "../../data/index.ts";
import type { Console } from "../console.ts";
import { configSchema } from "./training-config.ts";
import { runTraining } from "./training-job.ts";
import type { Trained } from "./training-output.ts";

export interface DemoTraining {
  readonly out: string;
  readonly threads: number;
  readonly seed: number;
  readonly resume?: boolean;
}

const port = { name: "image", dtype: "float32", dims: ["batch", 3, 32, 32] } as const;

/** On pictures that the shipped network was not trained on; `scripts/demo-network.ts` made it from those of seed 0. */
export async function trainDemo(
  { out, threads, seed, resume = false }: DemoTraining,
  command: string,
  console: Console,
): Promise<Trained> {
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
  const drawn = (split: "train" | "calibration", size: number) => glyphs({ split, size, seed: 2, port });
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

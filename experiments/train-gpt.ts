/** @file A GPT with or without mixtures, trained for one pass over a text; resumable. */
import { moeTraining } from "../src/conditional/index.ts";
import type { TextParts } from "../src/data/index.ts";
import type { Model } from "../src/ir/index.ts";
import { crossEntropy, fit, type Optimizer, warmup } from "../src/train/index.ts";
import { type Trained, trainResumably } from "./training-folder.ts";

export interface GptTraining {
  /** Of the folder with the checkpoints. */
  readonly name: string;
  readonly model: Model;
  readonly parts: TextParts;
  readonly optimizer: Optimizer;
  readonly learningRate: number;
  readonly batch: number;
  readonly seed: number;
}

export async function trainGpt(
  { name, model, parts: { training, validation }, optimizer, learningRate, batch, seed }: GptTraining,
  log: (line: string) => void,
): Promise<Trained & { /** Nats per token of the held-out text. */ readonly validation: number }> {
  const start = (folder: string) =>
    fit(model, {
      data: training,
      labels: "labels",
      evaluate: { data: validation!, batch },
      epochs: 1,
      batch,
      loss: crossEntropy({ axis: -1 }),
      optimizer,
      learningRate,
      schedule: warmup({ steps: 0.05 }),
      clip: 1,
      output: "logits",
      seed,
      session: { threads: 1 },
      checkpoint: { folder, everySteps: 200 },
      resume: true,
      ...moeTraining(model),
    });
  const trained = await trainResumably(name, start, log);
  return { ...trained, validation: trained.report.evaluations.at(-1)!.metrics.loss! };
}

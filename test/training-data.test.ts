/** @file Training on augmented pictures: the same bits with and without loading threads, whole or resumed. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { glyphs, horizontalFlip, mixup, random, randomCrop } from "../src/data/index.ts";
import { CancelledError, UsageError } from "../src/errors.ts";
import { isSparse, type Model, typedArray } from "../src/ir/index.ts";
import { mlp } from "../src/models/index.ts";
import { type FitOptions, fit } from "../src/train/index.ts";

const options: FitOptions = {
  data: glyphs({ split: "train", size: 60, seed: 2 }),
  augment: [randomCrop({ padding: 3 }), horizontalFlip(), mixup({ classes: 10, alpha: 1 })],
  evaluate: { data: glyphs({ split: "test", size: 20 }), metrics: ["accuracy"], loss: "crossEntropy" },
  epochs: 3,
  batch: 16,
  loss: "softCrossEntropy",
  optimizer: "adamw",
  learningRate: 1e-3,
  seed: 4,
};

function network(): Model {
  return mlp(random(1), { input: [3, 32, 32], hidden: [8], classes: 10 });
}

async function trained(overrides: Partial<FitOptions> = {}) {
  const { model, report } = await fit(network(), { ...options, ...overrides }).result;
  const parameters = [...model.graph.initializers].flatMap(([{ name }, value]) =>
    isSparse(value) ? [] : [[name, Array.from(typedArray(value) as ArrayLike<number | bigint>, Number)] as const],
  );
  return { report, parameters: Object.fromEntries(parameters) };
}

describe("fit on augmented pictures", () => {
  let whole: Awaited<ReturnType<typeof trained>>;
  let folder: string;
  beforeAll(async () => {
    whole = await trained();
    folder = await mkdtemp(join(tmpdir(), "litheml-training-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("evaluates without augmentation, by the loss that is named", () => {
    expect(whole.report.steps).toBe(12);
    for (const { metrics } of whole.report.evaluations) {
      expect(metrics.loss).toBeGreaterThan(0);
      expect(metrics.accuracy).toBeGreaterThanOrEqual(0);
    }
  });

  it("is another training than that without", async () => {
    expect((await trained({ augment: [] })).parameters).not.toEqual(whole.parameters);
  });

  it("gives the same bits with loading threads", async () => {
    expect((await trained({ workers: 2 })).parameters).toEqual(whole.parameters);
  });

  it("is cancelled, and resumed to the same bits in threads", async () => {
    const checkpoint = { folder, everySteps: 1 };
    const run = fit(network(), { ...options, checkpoint });
    for await (const event of run) if (event.type === "step" && event.step === 6) run.cancel();
    await expect(run.result).rejects.toThrow(CancelledError);
    const resumed = await trained({ checkpoint, resume: true, workers: 1 });
    expect(resumed.parameters).toEqual(whole.parameters);
  });

  it("refuses mixed labels for a loss of class indices, and other numbers of classes", async () => {
    await expect(trained({ loss: "crossEntropy" })).rejects.toThrow(/mixed labels are no class indices/);
    await expect(trained({ augment: [mixup({ classes: 11 })] })).rejects.toThrow(/do not fit the model/);
    await expect(trained({ workers: -1 })).rejects.toThrow(UsageError);
  });
});

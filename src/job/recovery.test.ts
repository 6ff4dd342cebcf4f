import { describe, expect, it } from "vitest";
import { denseModel } from "../../test/models.ts";
import { glyphs } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { requireSamplesFor } from "../settings/index.ts";
import type { ProgressEvent } from "./console.ts";
import type { LoadedData } from "./data/loaded-data.ts";
import { recoveryOf, tellTraining } from "./recovery.ts";

const training = glyphs({ split: "train", size: 4 });
const data = { datasets: { calibration: training, training } } as unknown as LoadedData;
const flags = { ep: "cpu", threads: 2, seed: 3, learningRate: 0.1, temperature: 2, featureWeight: 0.5 } as const;

describe("winning accuracy back", () => {
  it("happens only where it is asked for, and then with samples to train on", () => {
    expect(recoveryOf(denseModel(), { ...data, datasets: undefined } as unknown as LoadedData, flags)).toBeUndefined();
    expect(recoveryOf(denseModel(), data, { ...flags, finetune: 7 })).toEqual({
      data: training,
      epochs: 7,
      learningRate: 0.1,
      temperature: 2,
      featureWeight: 0.5,
      seed: 3,
      session: { ep: "cpu", threads: 2 },
      batch: 32,
    });
    const empty = { datasets: { calibration: training, training: { ...training, size: 0 } } } as unknown as LoadedData;
    for (const none of [empty, {} as LoadedData]) {
      expect(() => recoveryOf(denseModel(), none, { ...flags, finetune: 1 })).toThrow(UsageError);
      expect(() => recoveryOf(denseModel(), none, { ...flags, finetune: 1 })).toThrow(/no samples left to train on/);
    }
  });

  it("changes pictures as it is told to, in that order", () => {
    const augment = ["horizontalFlip", "randomCrop"] as const;
    const asked = recoveryOf(denseModel(), data, { ...flags, finetune: 1, augment: [...augment] });
    expect(asked!.augment!.map(({ name }) => name)).toEqual(augment);
  });

  it("needs samples that are not made up", () => {
    expect(() => requireSamplesFor("--finetune", "random")).toThrow(/--finetune needs data; .*got random/);
    expect(() => requireSamplesFor("--finetune", undefined)).toThrow(/got none/);
    for (const path of ["demo", "d.npz"]) expect(() => requireSamplesFor("--finetune", path)).not.toThrow();
    for (const path of ["random", undefined]) expect(() => requireSamplesFor(undefined, path)).not.toThrow();
  });

  it("shows steps with the terms of the loss, and nothing else", () => {
    const shown: ProgressEvent[] = [];
    const progress = (event: ProgressEvent) => void shown.push(event);
    tellTraining({ type: "early-stop", epoch: 1, reason: "no gain" }, { progress });
    const step = { type: "step", step: 3, steps: 9, update: 3, epoch: 1, loss: 1, learningRate: 0.1 } as const;
    tellTraining({ ...step, samplesPerSecond: 1, etaMs: 1, terms: { answers: 0.5, blocks: 0.25 } }, { progress });
    expect(shown).toEqual([{ stage: "distil", done: 3, total: 9, detail: "answers 0.5000, blocks 0.2500" }]);
  });
});

import { describe, expect, it } from "vitest";
import { augmentations, glyphs } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { memberFacts } from "../../settings/index.ts";
import { losses, optimizers, schedules } from "../../train/index.ts";
import { augmentOf, evaluationOf, fitOptions } from "./fit-options.ts";
import { nameOf } from "./named-choice.ts";
import { configSchema, readConfig, type TrainingConfig } from "./training-config.ts";

type Maker = Parameters<typeof memberFacts>[0];

const configOf = (more: object = {}): TrainingConfig => configSchema.parse({ model: "mlp", data: "d.npz", ...more });
const data = glyphs({ split: "train", size: 4 });

describe("what the trainer is told", () => {
  it("has the members of families that are named, with their settings", () => {
    const options = fitOptions(
      configOf({ optimizer: { name: "muon", scale: "original" }, schedule: "cosine", loss: "hinge" }),
    );
    expect(options).toMatchObject({ epochs: 10, learningRate: 1e-3, seed: 1, session: { ep: "cpu", threads: 1 } });
    expect(() => fitOptions(configOf({ optimizer: { name: "muon", scale: "adamw" } }))).not.toThrow();
    expect(() => fitOptions(configOf({ optimizer: { name: "muon", scale: "other" } }))).toThrow(
      /optimizer muon\.scale/,
    );
  });

  it.each([
    [{ optimizer: "adagrad" }, /^there is no such optimizer; expected one of sgd, adam, .*got "adagrad"/],
    [{ schedule: "never" }, /^there is no such schedule; .*got "never"/],
    [{ loss: { name: "gain" } }, /^there is no such loss; .*got "gain"/],
    [{ optimizer: { name: "sgd", betas: [0, 1] } }, /^there is no such setting; expected momentum, .*at optimizer sgd/],
  ])("refuses %j by name", (more, message) => {
    expect(() => fitOptions(configOf(more))).toThrow(UsageError);
    expect(() => fitOptions(configOf(more))).toThrow(message);
  });

  it("fills erased parts of pictures with noise or a number", async () => {
    const erasing = (fill: unknown) => augmentOf(configOf({ augment: [{ name: "randomErasing", fill }] }), data);
    expect((await erasing("noise")).augment).toHaveLength(1);
    expect((await erasing(0.5)).augment).toHaveLength(1);
    await expect(erasing("black")).rejects.toThrow(/augmentation randomErasing\.fill/);
    expect(await augmentOf(configOf(), data)).toEqual({});
  });

  it("evaluates on what is held out, if anything is, by the measure of the loss", () => {
    const parts = { training: data, validation: data };
    const evaluated = (more: object) => evaluationOf(configOf(more), parts);
    expect(evaluated({})).toEqual({ evaluate: { data, metrics: ["accuracy"] } });
    expect(evaluated({ loss: "meanSquaredError" })).toEqual({ evaluate: { data, metrics: [] } });
    expect(evaluated({ loss: "softCrossEntropy" })).toEqual({
      evaluate: { data, metrics: ["accuracy"], loss: "crossEntropy" },
    });
    expect(evaluationOf(configOf(), { ...parts, validation: { ...data, size: 0 } })).toEqual({});
  });

  it("knows a choice by its name, however it is written", () => {
    expect([nameOf("adamw"), nameOf({ name: "adamw", weightDecay: 0.1 })]).toEqual(["adamw", "adamw"]);
  });
});

describe.each([
  ["optimizer", optimizers],
  ["schedule", schedules],
  ["loss", losses],
] as const)("every %s", (family, members) => {
  it.each(Object.entries<Maker>(members))("%s takes what it states from a configuration", (name, make) => {
    const { settings } = memberFacts(make);
    for (const [option, schema] of Object.entries(settings.shape)) {
      const values = [0.5, 1, 3, [1, 2], [0.5, 0.5], true, "original"].filter(
        (value) => schema.safeParse(value).success,
      );
      const works = (value: unknown) => {
        try {
          return fitOptions(configOf({ [family]: { name, [option]: value } })) !== undefined;
        } catch (error) {
          expect(String(error)).not.toMatch(/unknown option|there is no such setting/);
          return false;
        }
      };
      expect([option, values.some(works)]).toEqual([option, true]);
    }
  });
});

it("every augmentation states its options", () => {
  for (const make of Object.values<Maker>(augmentations)) expect(() => memberFacts(make)).not.toThrow();
});

describe("a configuration", () => {
  it("says what it lacks", async () => {
    await expect(readConfig(undefined, {})).rejects.toThrow(/needs a model and data; expected --model and --data/);
    await expect(readConfig(undefined, { model: "mlp" })).rejects.toThrow(/expected --data\./);
    await expect(readConfig(undefined, { data: "d.npz" })).rejects.toThrow(/expected --model\./);
  });

  it("says where a value is wrong", async () => {
    const wrong = readConfig(undefined, { model: "mlp", data: "d.npz", epochs: 0.5 });
    await expect(wrong).rejects.toThrow(/at options\.epochs$/);
  });

  it("reads samples ahead in no thread or in some", () => {
    expect([0, 3].map((workers) => configOf({ workers }).workers)).toEqual([0, 3]);
    for (const workers of [-1, 0.5]) expect(() => configOf({ workers })).toThrow();
  });

  it("averages by shares from 0 on, short of 1", () => {
    expect([0, 0.999].map((average) => configOf({ average }).average)).toEqual([0, 0.999]);
    for (const average of [-0.1, 1]) expect(() => configOf({ average })).toThrow();
  });
});

/** @file Options of distillation from the original, for commands that change a network and win its accuracy back. */
import type * as z from "zod";
import { augmentations, type Dataset } from "../data/index.ts";
import type { RecoveryOptions } from "../distill/index.ts";
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { beside, between, list, only, setting, whole } from "../settings/index.ts";
import type { TrainEvent } from "../train/index.ts";
import type { Console } from "./console.ts";
import type { LoadedData } from "./data/loaded-data.ts";
import { inputPorts } from "./model/model-file.ts";
import type { RuntimeOptions } from "./settings/settings.ts";
import { present } from "./training/named-choice.ts";

/** Augmentations that do not ask what the numbers of a picture mean, which its preset decides. */
const changesOfPictures = ["randomCrop", "horizontalFlip", "cutout", "randomErasing"] as const;

/** Accuracy is to be won back. */
export const distilled = beside("--finetune");

export const recoverySettings = {
  finetune: setting(
    "--finetune <epochs>",
    "epochs of distillation from the original (needs data)",
    whole(1).exactOptional(),
  ),
  learningRate: only(distilled, setting("--learning-rate <x>", "highest learning rate", between(0, 1e6).default(5e-4))),
  trainBatch: only(distilled, setting("--train-batch <n>", "samples per step (32, or the model's own)", whole(1))),
  temperature: only(distilled, setting("--temperature <t>", "of the soft targets", between(1e-3, 1e3).default(2))),
  featureWeight: only(
    distilled,
    setting("--feature-weight <w>", "weight of the outputs of blocks beside the answers", between(0, 1e6).default(1)),
  ),
  augment: only(
    distilled,
    setting(
      "--augment <names>",
      `changes pictures at random: ${changesOfPictures.join(", ")}`,
      list(changesOfPictures),
    ),
  ),
};

export type RecoveryFlags = z.output<z.ZodObject<typeof recoverySettings>>;

/** What the options ask of the distillation; `undefined` without `--finetune`. */
export function recoveryOf(
  model: Model,
  { datasets }: LoadedData,
  flags: RecoveryFlags & Pick<RuntimeOptions, "ep" | "threads" | "seed">,
): RecoveryOptions | undefined {
  const { ep, threads, seed, finetune, learningRate, trainBatch, temperature, featureWeight, augment = [] } = flags;
  if (finetune === undefined) return undefined;
  return {
    data: toTrain(datasets?.training),
    epochs: finetune,
    ...present({ learningRate, temperature, featureWeight }),
    ...(augment.length > 0 && { augment: augment.map((name) => augmentations[name]()) }),
    seed,
    session: { ep, threads },
    batch: stepSize(fixedBatch(model), trainBatch),
  };
}

/** The model's own number of samples, where it has one. */
function stepSize(fixed: number | undefined, given = fixed ?? 32): number {
  if (fixed === undefined || fixed === given) return given;
  throw new UsageError("the model takes another number of samples at once", {
    expected: `--train-batch ${fixed}`,
    got: `--train-batch ${given}`,
  });
}

function toTrain(data: Dataset | undefined): Dataset {
  if (data && data.size > 0) return data;
  throw new UsageError("there are no samples left to train on", {
    hint: "Keep fewer for choosing and verifying, with --calibration-samples and --eval-samples.",
  });
}

/** The number of samples that the model takes at once, where it takes one number only. */
export function fixedBatch(model: Model): number | undefined {
  const lengths = inputPorts(model).map(({ dims }) => dims?.[0]);
  return lengths.find((dim): dim is number => typeof dim === "number");
}

export function tellTraining(event: TrainEvent, { progress }: Pick<Console, "progress">): void {
  if (event.type !== "step") return;
  const terms = Object.entries(event.terms ?? {}).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  progress({ stage: "distil", done: event.step, total: event.steps, detail: terms.join(", ") });
}

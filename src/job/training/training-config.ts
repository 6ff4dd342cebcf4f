/** @file The configuration of a training run: a JSON file, flags that go before it, and what is taken when neither says. */
import * as z from "zod";
import { augmentations, presets } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { readText } from "../../file-system.ts";
import { executionProviders } from "../../runtime/index.ts";
import { between, choice, flag, memberOf, names, positive, setting, text, whole } from "../../settings/index.ts";
import { losses, metrics, optimizers, schedules } from "../../train/index.ts";
import { distillationSchema } from "./distillation-config.ts";
import { checked, namedChoice } from "./named-choice.ts";

const count = () => whole(1).exactOptional();
const factor = () => positive().exactOptional();
const below1 = "It must be a number from 0, below 1.";
const place = { role: "place" } as const;

/** One of a family by name; with settings where a file says so. */
const member = (flag: string, description: string, family: object, usual: string) =>
  setting(flag, description, namedChoice.default(usual), { word: memberOf(family) });

/** What has a flag can be said by one, and the flag goes before a file. */
export const configSchema = z.strictObject({
  /** An `.onnx` file, or a network by name with its settings. */
  model: namedChoice,
  data: setting("--data <path>", "folder or file with labelled samples", text()),
  preset: setting("--preset <name>", "how pictures become tensors", memberOf(presets).exactOptional()),
  preprocess: setting("--preprocess <file>", "the same as a JSON file", text().exactOptional()),
  labels: setting("--labels <file>", "labels: a file, or the name of a column or array", text().exactOptional()),
  /** In this order. */
  augment: setting(
    "--augment <names>",
    `changes pictures at random: ${Object.keys(augmentations).join(", ")}`,
    z.array(namedChoice).exactOptional(),
    { word: names() },
  ),
  workers: setting(
    "--workers <n>",
    "threads that read and augment samples ahead of the steps (0)",
    whole(0).exactOptional(),
  ),
  validation: setting(
    "--validation <share>",
    "share of the samples that is evaluated on after every epoch",
    between(0, 0.9).default(0.1),
  ),
  epochs: setting("--epochs <n>", "times that every sample is seen", whole(1).default(10)),
  batch: setting("--batch <n>", "samples per batch (32, or the model's own)", count()),
  learningRate: setting("--learning-rate <x>", "highest learning rate", between(0, 1e6).default(1e-3)),
  optimizer: member("--optimizer <name>", "optimizer", optimizers, "adamw"),
  schedule: member("--schedule <name>", "learning rate over the run", schedules, "warmup"),
  loss: member("--loss <name>", "loss", losses, "crossEntropy"),
  output: setting(
    "--output <name>",
    "the output that the loss reads; of several, the deepest with as many scores as there are classes",
    text().exactOptional(),
  ),
  metrics: z.array(memberOf(metrics)).exactOptional(),
  monitor: z.string().exactOptional(),
  trainable: setting(
    "--trainable <patterns>",
    "initializers to train: names with *, separated by commas (all)",
    names().exactOptional(),
  ),
  freeze: setting("--freeze <patterns>", "initializers that stay as they are", names().exactOptional()),
  decayExclude: z.array(z.string()).exactOptional(),
  clip: setting("--clip <norm>", "largest norm of all gradients together", factor()),
  accumulate: setting("--accumulate <n>", "batches per update", count()),
  average: setting(
    "--average <share>",
    "keeps a running average of the parameters, such as 0.999",
    z.number(below1).min(0, below1).lt(1, below1).exactOptional(),
  ),
  lossScale: z.strictObject({ initial: factor(), growth: factor(), backoff: factor(), every: count() }).exactOptional(),
  precision: setting(
    "--precision <dtype>",
    "of products and sums (float32)",
    choice(["float32", "float16", "bfloat16"]).exactOptional(),
  ),
  batchNorm: z.enum(["train", "frozen"]).exactOptional(),
  dropout: z.enum(["train", "off"]).exactOptional(),
  earlyStopping: z.strictObject({ patience: whole(1), minDelta: z.number().min(0).exactOptional() }).exactOptional(),
  restoreBest: setting("--restore-best", "hands out the parameters of the best evaluation", flag().exactOptional()),
  checkpointEvery: setting(
    "--checkpoint-every <n>",
    "keeps the state after so many batches too, not only after epochs",
    count(),
  ),
  stepsPerRun: setting("--steps-per-run <n>", "batches per call of the runtime", whole(1).default(1)),
  measureForms: setting(
    "--measure-forms",
    "measures first which forms of the gradients are fastest here",
    flag().default(false),
  ),
  /** A new head: where it begins, found when absent, and how many classes it has, those of the data when absent. */
  head: z.strictObject({ at: z.string().exactOptional(), classes: count() }).exactOptional(),
  lora: z.strictObject({ rank: whole(1), alpha: factor(), weights: names().exactOptional() }).exactOptional(),
  /** Who is followed beside the labels, or in their place. */
  distillation: distillationSchema.exactOptional(),
  /** The file that keeps the adapters and the new head apart. */
  keepAdapters: z.string().exactOptional(),
  seed: setting("--seed <n>", "seed of everything random", whole(0).default(1)),
  ep: setting("--ep <provider>", "execution provider", choice(executionProviders).default("cpu")),
  threads: setting("--threads <n>", "threads within an operator", whole(1).default(1)),
  out: setting("-o, --out <path>", "folder for the run, or an .onnx file", text().exactOptional(), place),
});

export type TrainingConfig = z.infer<typeof configSchema>;

/** What flags say; absent where they say nothing. */
export type Flags = Readonly<Record<string, unknown>>;

/**
 * Reads a configuration; what a flag says goes before what the file says. float16 gets a loss scale, without which small gradients
 * would vanish. `usual` is taken where neither speaks, before what the keys have by themselves.
 *
 * @throws UsageError for a file that cannot be read, unknown keys and values that do not fit, naming the valid ones
 */
export async function readConfig(path: string | undefined, flags: Flags, usual: Flags = {}): Promise<TrainingConfig> {
  const file = path === undefined ? {} : await jsonObject(path);
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const whole = { ...usual, ...file, ...given };
  const missing = ["model", "data"].filter((key) => !(key in whole));
  if (missing.length > 0) {
    throw new UsageError("training needs a model and data", {
      expected: missing.map((key) => `--${key}`).join(" and "),
      hint: "Name them by flags or in a configuration file.",
    });
  }
  const config = checked(configSchema, whole, path ?? "options");
  checkAdapters(config);
  const needsScale = config.precision === "float16" && config.lossScale === undefined;
  return needsScale ? { ...config, lossScale: {} } : config;
}

/** Options of adapters that contradict each other or would do nothing. */
function checkAdapters({ lora, keepAdapters, trainable, batchNorm }: TrainingConfig): void {
  if (keepAdapters !== undefined && !lora) throw new UsageError("keepAdapters needs lora");
  if (!lora) return;
  if (trainable) {
    throw new UsageError("with lora, adapters and the new head are what is trained", {
      got: "trainable",
      hint: "Choose the weights that carry adapters with weights of lora, or freeze some with freeze.",
    });
  }
  if (batchNorm === "train") {
    throw new UsageError("adapters are trained with frozen batch statistics", {
      expected: 'batchNorm "frozen"',
      got: '"train"',
      hint: "Statistics are no part of the adapters, so that what they belong to must keep them.",
    });
  }
}

async function jsonObject(path: string): Promise<object> {
  const text = await readText(path).catch((cause: Error) => {
    throw new UsageError("the configuration cannot be read", { got: cause.message, where: path, cause });
  });
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new UsageError("the configuration is not JSON", { where: path, cause });
  }
  throw new UsageError("the configuration is no JSON object", { where: path });
}

/** @file The configuration of a training run: a JSON file, flags that go before it, and what is taken when neither says. */
import * as z from "zod";
import { UsageError } from "../../errors.ts";
import { readText } from "../../file-system.ts";
import { executionProviders } from "../../runtime/index.ts";
import { metrics } from "../../train/index.ts";
import { checked, namedChoice } from "./named-choice.ts";

const count = z.int().min(1);
const factor = z.number().positive();
const patterns = z.array(z.string().min(1)).min(1);

export const configSchema = z.strictObject({
  /** An `.onnx` file, or a network by name with its settings. */
  model: namedChoice,
  data: z.string(),
  preset: z.string().optional(),
  preprocess: z.string().optional(),
  labels: z.string().optional(),
  /** Random changes of the training pictures, in this order. */
  augment: z.array(namedChoice).optional(),
  /** Threads that read and augment samples ahead of the steps. */
  workers: z.int().min(0).optional(),
  validation: z.number().min(0).max(0.9).default(0.1),
  epochs: count.default(10),
  batch: count.optional(),
  learningRate: z.number().min(0).default(1e-3),
  optimizer: namedChoice.default("adamw"),
  schedule: namedChoice.default("warmup"),
  loss: namedChoice.default("crossEntropy"),
  output: z.string().optional(),
  metrics: z.array(z.enum(Object.keys(metrics) as (keyof typeof metrics)[])).optional(),
  monitor: z.string().optional(),
  trainable: patterns.optional(),
  freeze: patterns.optional(),
  decayExclude: z.array(z.string()).optional(),
  clip: factor.optional(),
  accumulate: count.optional(),
  average: z.number().min(0).lt(1).optional(),
  lossScale: z
    .strictObject({
      initial: factor.optional(),
      growth: factor.optional(),
      backoff: factor.optional(),
      every: count.optional(),
    })
    .optional(),
  precision: z.enum(["float32", "float16", "bfloat16"]).optional(),
  batchNorm: z.enum(["train", "frozen"]).optional(),
  dropout: z.enum(["train", "off"]).optional(),
  earlyStopping: z.strictObject({ patience: count, minDelta: z.number().min(0).optional() }).optional(),
  restoreBest: z.boolean().optional(),
  checkpointEvery: count.optional(),
  stepsPerRun: count.default(1),
  /** Whether the forms of gradients are chosen by measuring them first. */
  measureForms: z.boolean().default(false),
  /** A new head: where it begins, found when absent, and how many classes it has, those of the data when absent. */
  head: z.strictObject({ at: z.string().optional(), classes: count.optional() }).optional(),
  lora: z.strictObject({ rank: count, alpha: factor.optional(), weights: patterns.optional() }).optional(),
  /** The file that keeps the adapters and the new head apart. */
  keepAdapters: z.string().optional(),
  seed: z.int().min(0).default(1),
  ep: z.enum(executionProviders).default("cpu"),
  threads: count.default(1),
  out: z.string().optional(),
});

export type TrainingConfig = z.infer<typeof configSchema>;

/** What flags say; absent where they say nothing. */
export type Flags = Readonly<Record<string, unknown>>;

/**
 * Reads a configuration; what a flag says goes before what the file says. float16 gets a loss scale, without which small gradients
 * would vanish.
 *
 * @throws UsageError for a file that cannot be read, unknown keys and values that do not fit, naming the valid ones
 */
export async function readConfig(path: string | undefined, flags: Flags): Promise<TrainingConfig> {
  const file = path === undefined ? {} : await jsonObject(path);
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const whole = { ...file, ...given };
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

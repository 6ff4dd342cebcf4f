/** @file The samples of a training run. */
import { batches, split } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import type { Console } from "../console.ts";
import { openDataset } from "../data/load.ts";
import type { LabelledFeeds } from "../data/loaded-data.ts";
import { inputPorts } from "../model/model-file.ts";
import type { TrainingData } from "./fit-options.ts";
import { present } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";

/** The samples that the configuration names, in a part to train on and one that is held out; says what was assumed of them. */
export async function openParts(
  config: TrainingConfig,
  known: Model | undefined,
  { say }: Pick<Console, "say">,
): Promise<TrainingData> {
  checkSamples(config.data);
  const data = await openDataset(config.data, known ? inputPorts(known) : undefined, present(config));
  for (const assumption of data.assumptions ?? []) say(`assumed: ${assumption}`);
  const held = Math.round(config.validation * data.size);
  const parts = await split(data, { calibration: data.size - held, evaluation: held, seed: config.seed });
  return { training: parts.calibration, validation: parts.evaluation };
}

/** @throws UsageError for words that stand for data elsewhere, and for no samples to learn from */
function checkSamples(data: string): void {
  if (data !== "random" && data !== "demo") return;
  throw new UsageError("training needs samples of your own", {
    expected: "--data PATH with labelled samples",
    got: `--data ${data}`,
    hint: data === "random" ? "Random inputs have no labels to learn." : "lithe demo trains on the embedded glyphs.",
  });
}

/** Batches on which a changed model shows that it answers otherwise. */
export async function* firstOf({ training }: TrainingData, model: Model): AsyncGenerator<LabelledFeeds> {
  for await (const { feeds, count } of batches(training, { port: inputPorts(model), limit: 64 }))
    yield { feeds, count };
}

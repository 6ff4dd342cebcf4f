/** @file What a configuration of a training comes to before it begins: the network, the samples, the options of the run. */
import type { Model } from "../../ir/index.ts";
import { type Algorithm, clippedParameters, type FitOptions, withinClips } from "../../train/index.ts";
import type { Console } from "../console.ts";
import { trainable } from "../model/readied.ts";
import { augmentOf, evaluationOf, fitOptions, type TrainingData } from "./fit-options.ts";
import type { TrainingConfig } from "./training-config.ts";
import { firstOf, openParts } from "./training-data.ts";
import { modelOfFile, networkFor, type Prepared, prepared } from "./training-model.ts";

export interface TrainingParts {
  /** As the file has it; absent for a network that is made. */
  readonly loaded: Model | undefined;
  readonly data: TrainingData;
  readonly start: Prepared;
  /** By the configuration alone: no teacher, no folder. */
  readonly options: FitOptions;
}

/** The samples are those of the configuration unless others are given. @throws whatever reading the model and the data throws */
export async function trainingParts(
  config: TrainingConfig,
  console: Console,
  given?: TrainingData,
): Promise<TrainingParts> {
  const options = fitOptions(config);
  const loaded = await modelOfFile(config);
  const data = given ?? (await openParts(config, loaded, console));
  const ready = loaded && (await trainable(loaded, { evaluation: () => firstOf(data, loaded) }, config, console));
  const augment = await augmentOf(config, data.training);
  const evaluation = evaluationOf(config, data);
  const start = await prepared(ready ?? (await networkFor(config, data.training)), config, data.training);
  const algorithms = boundsOf(start.model);
  const whole = { ...options, ...evaluation, data: data.training, ...start.options, ...augment, algorithms };
  return { loaded, data, start, options: whole };
}

/** Weights of two levels stay where they still learn. */
function boundsOf(model: Model): readonly Algorithm[] {
  return clippedParameters(model).size > 0 ? [withinClips()] : [];
}

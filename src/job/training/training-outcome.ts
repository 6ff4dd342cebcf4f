/** @file What a training command says in the end. */
import { basename } from "node:path";
import type { Console, Outcome } from "../console.ts";
import { nameOf } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";
import type { Trained } from "./training-job.ts";

/** The name of a network or a file, as part of other names. */
export function stemOf(name: string): string {
  return basename(name).replace(/\.onnx$/, "");
}

export function showTraining(
  config: TrainingConfig,
  { training, notes, file, page, adapters }: Trained,
  { json, say }: Pick<Console, "json" | "say">,
): Outcome {
  const { parameters, updates, seconds, best } = training;
  if (!json) {
    say(`${parameters} numbers trained, ${updates} updates in ${seconds.toFixed(1)} s`);
    if (best) say(`best after epoch ${best.epoch}: ${best.monitor} ${best.metrics[best.monitor]?.toFixed(4)}`);
    say(`model:  ${file}`);
    if (adapters !== undefined) say(`adapters: ${adapters}`);
    say(`report: ${page}`);
  }
  const kept = adapters === undefined ? {} : { adapters };
  return { result: { model: nameOf(config.model), file, report: page, ...kept, notes, ...training } };
}

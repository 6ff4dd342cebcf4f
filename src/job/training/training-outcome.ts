/** @file What a training command says in the end. */
import type { Console, Outcome } from "../console.ts";
import { nameOf } from "./named-choice.ts";
import type { TrainingConfig } from "./training-config.ts";
import type { Trained } from "./training-output.ts";

export function showTraining(
  config: TrainingConfig,
  { training, notes, compared, file, page, adapters }: Trained,
  { json, say }: Pick<Console, "json" | "say">,
): Outcome {
  const { parameters, updates, seconds, best } = training;
  if (!json) {
    say(`${parameters} numbers trained, ${updates} updates in ${seconds.toFixed(1)} s`);
    if (best) say(`best after epoch ${best.epoch}: ${best.monitor} ${best.metrics[best.monitor]?.toFixed(4)}`);
    for (const { name, metrics } of compared ?? []) say(`${name}: ${figures(metrics)}`);
    say(`model:  ${file}`);
    if (adapters !== undefined) say(`adapters: ${adapters}`);
    say(`report: ${page}`);
  }
  const kept = { ...(adapters !== undefined && { adapters }), ...(compared && { compared }) };
  return { result: { model: nameOf(config.model), file, report: page, ...kept, notes, ...training } };
}

function figures(metrics: Readonly<Record<string, number>>): string {
  const list = Object.entries(metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  return list.join(", ");
}

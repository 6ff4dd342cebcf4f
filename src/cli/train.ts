/** @file `lithe train --model NAME|FILE --data DATA`: trains a network on labelled samples. */
import { split } from "../data/index.ts";
import { UsageError } from "../errors.ts";
import { saveModel } from "../onnx/files.ts";
import { fit, type TrainEvent, type TrainReport } from "../train/index.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { openDataset } from "./load.ts";
import { inputPorts } from "./model-file.ts";
import { checkOutputFile } from "./output.ts";
import { declareTrain, fitOptions, type TrainOptions } from "./train-options.ts";
import { modelToTrain, networkFor } from "./trained-network.ts";

async function run(_: readonly string[], given: Readonly<Record<string, unknown>>, console: Console): Promise<Outcome> {
  const options = given as unknown as TrainOptions;
  const { model: name, data: path, seed, validation } = options;
  if (name === undefined || path === undefined) throw new UsageError("training needs --model and --data");
  const out = options.out ?? `${name.replace(/\.onnx$/, "")}_trained.onnx`;
  await checkOutputFile(out, name.endsWith(".onnx") ? [name] : []);
  const known = await modelToTrain(name);
  const data = await openDataset(path, known ? inputPorts(known) : undefined, options);
  for (const assumption of data.assumptions ?? []) console.say(`assumed: ${assumption}`);
  const model = known ?? (await networkFor(name, data, seed));
  const held = Math.round(validation * data.size);
  const parts = await split(data, { calibration: data.size - held, evaluation: held, seed });
  const training = fit(model, fitOptions(options, parts, console));
  for await (const event of training) follow(event, console);
  const { model: trained, report } = await training.result;
  await saveModel(out, trained);
  if (!console.json) show(report, out, console);
  return { result: { model: name, file: out, ...report } };
}

function follow(event: TrainEvent, { say, progress }: Console): void {
  if (event.type === "start" && event.resumedFrom > 0) say(`resumed after batch ${event.resumedFrom}`);
  if (event.type === "step") {
    progress({ stage: "train", done: event.step, total: event.steps, detail: `loss ${event.loss.toFixed(4)}` });
  }
  if (event.type !== "evaluation") return;
  const metrics = Object.entries(event.metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  say(`epoch ${event.epoch}: ${metrics.join(", ")}${event.isBest ? " (best)" : ""}`);
}

function show({ parameters, updates, seconds, best }: TrainReport, out: string, { say }: Console): void {
  say(`${parameters} parameters, ${updates} updates in ${seconds.toFixed(1)} s`);
  if (best) say(`best after epoch ${best.epoch}: ${best.monitor} ${best.metrics[best.monitor]?.toFixed(4)}`);
  say(`model: ${out}`);
}

export const command: CommandModule = { declare: declareTrain, run };

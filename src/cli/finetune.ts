/** @file `lithe finetune MODEL --data DATA`: fits an imported network to a new task. */
import { join } from "node:path";
import { finetuneFlags, tuning } from "../job/training/finetune-flags.ts";
import { stemOf } from "../job/training/named-choice.ts";
import { helped, usualThreads } from "../job/training/shared-training.ts";
import { readConfig } from "../job/training/training-config.ts";
import { configOf } from "../job/training/training-flags.ts";
import { runTraining } from "../job/training/training-job.ts";
import { showTraining } from "../job/training/training-outcome.ts";
import { defineCommand } from "./command.ts";

export const command = defineCommand({
  operands: [["<model>", "an .onnx file"]],
  settings: finetuneFlags,
  async run([model], flags, console) {
    const config = await readConfig(undefined, tuning(configOf({ ...flags, model })), usualThreads());
    const stem = stemOf(model!);
    const out = config.out ?? join("lithe-out", `${stem}-finetuned`);
    const target = {
      title: `lithe: ${stem} fine-tuned`,
      name: `${stem}_finetuned`,
      out,
      resume: flags.resume === true,
    };
    const help = await helped(config, target, console);
    if (help) return help;
    return showTraining(config, await runTraining(target, config, console), console);
  },
});

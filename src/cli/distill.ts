/** @file `lithe distill --teacher T.onnx --student S.onnx --data DATA`: a network learns from another one. */
import { join } from "node:path";
import { distillFlags, teaching } from "../job/training/distill-flags.ts";
import { stemOf } from "../job/training/named-choice.ts";
import { readConfig } from "../job/training/training-config.ts";
import { configOf } from "../job/training/training-flags.ts";
import { runTraining } from "../job/training/training-job.ts";
import { showTraining } from "../job/training/training-outcome.ts";
import { defineCommand } from "./command.ts";

export const command = defineCommand({
  operands: [],
  settings: distillFlags,
  async run(_, flags, console) {
    const config = await readConfig(undefined, teaching(configOf(flags)));
    const stem = stemOf(flags.student);
    const out = config.out ?? join("lithe-out", `${stem}-distilled`);
    const target = {
      title: `lithe: ${stem} distilled`,
      name: `${stem}_distilled`,
      out,
      resume: flags.resume === true,
    };
    return showTraining(config, await runTraining(target, config, console), console);
  },
});

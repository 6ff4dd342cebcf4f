/** @file `lithe train CONFIG` and `lithe train --model NAME|FILE --data DATA`: trains a network on labelled samples. */

import { join } from "node:path";
import * as z from "zod";
import type { Console, Outcome } from "../job/console.ts";
import { nameOf, stemOf } from "../job/training/named-choice.ts";
import { networkNames } from "../job/training/networks.ts";
import { helped, usualThreads } from "../job/training/shared-training.ts";
import { readConfig } from "../job/training/training-config.ts";
import { configOf, trainingFlags } from "../job/training/training-flags.ts";
import { runTraining } from "../job/training/training-job.ts";
import { showTraining } from "../job/training/training-outcome.ts";
import { setting, text } from "../settings/index.ts";
import { defineCommand } from "./command.ts";

const settings = z.strictObject({
  model: setting(
    "--model <name|file>",
    `${networkNames.join(", ")}, or an .onnx file to train further`,
    text().exactOptional(),
  ),
  ...trainingFlags,
});

async function run([path]: readonly string[], flags: z.output<typeof settings>, console: Console): Promise<Outcome> {
  const config = await readConfig(path, configOf(flags), usualThreads());
  const stem = stemOf(nameOf(config.model));
  const out = config.out ?? join("lithe-out", `${stem}-trained`);
  const target = { title: `lithe: ${stem} trained`, name: `${stem}_trained`, out, resume: flags.resume === true };
  const help = await helped(config, target, console);
  if (help) return help;
  const trained = await runTraining(target, config, console);
  return showTraining(config, trained, console);
}

export const command = defineCommand({
  operands: [["[config]", "a JSON file; flags go before what it says"]],
  settings,
  run,
});

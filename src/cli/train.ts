/** @file `lithe train CONFIG` and `lithe train --model NAME|FILE --data DATA`: trains a network on labelled samples. */
import { join } from "node:path";
import type { Command } from "commander";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { nameOf } from "./training/named-choice.ts";
import { readConfig } from "./training/training-config.ts";
import { configOf, declareTraining } from "./training/training-flags.ts";
import { runTraining } from "./training/training-job.ts";
import { networkNames } from "./training/training-model.ts";
import { showTraining, stemOf } from "./training/training-outcome.ts";

function declare(command: Command): void {
  declareTraining(
    command
      .argument("[config]", "a JSON file; flags go before what it says")
      .option("--model <name|file>", `${networkNames.join(", ")}, or an .onnx file to train further`),
  );
}

async function run(
  [path]: readonly string[],
  flags: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const config = await readConfig(path, configOf(flags));
  const stem = stemOf(nameOf(config.model));
  const out = config.out ?? join("lithe-out", `${stem}-trained`);
  const target = { title: `lithe: ${stem} trained`, name: `${stem}_trained`, out, resume: flags.resume === true };
  const trained = await runTraining(target, config, console);
  return showTraining(config, trained, console);
}

export const command: CommandModule = { declare, run };

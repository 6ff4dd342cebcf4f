/** @file `lithe finetune MODEL --data DATA`: fits an imported network to a new task. */
import { join } from "node:path";
import { type Command, Option } from "commander";
import type { Console, Outcome } from "../job/console.ts";
import { beside, only, unless } from "../job/settings/conditions.ts";
import { between, names, valued, whole } from "../job/settings/options.ts";
import { type Flags, readConfig } from "../job/training/training-config.ts";
import { configOf, declareTraining } from "../job/training/training-flags.ts";
import { runTraining } from "../job/training/training-job.ts";
import { showTraining, stemOf } from "../job/training/training-outcome.ts";
import type { CommandModule } from "./command.ts";

function declare(command: Command): void {
  const adapted = beside("--lora");
  declareTraining(command.argument("<model>", "an .onnx file"))
    .option("--head <at>", "the value that a new head reads; auto finds it, none keeps the old head", "auto")
    .addOption(only(unless("--head", "none"), valued("--classes <n>", "of the new head (those of the data)", whole(1))))
    .option("--frozen-norms", "batch normalisation keeps its statistics")
    .option("--lora <rank>", "trains adapters of this rank and the new head instead of the weights", whole(1))
    .addOption(
      only(
        adapted,
        valued("--lora-alpha <x>", "the scale of adapters times their rank (the rank)", between(1e-9, 1e9)),
      ),
    )
    .addOption(only(adapted, valued("--lora-weights <patterns>", "weights that carry adapters (all that can)", names)))
    .addOption(
      only(adapted, new Option("--keep-adapters <file>", "keeps adapters and head as a safetensors file as well")),
    );
}

/** The flags of this command alone, as keys of a configuration. */
export function tuning({ head, classes, frozenNorms, lora, loraAlpha, loraWeights, ...flags }: Flags): Flags {
  return {
    ...flags,
    ...(head !== "none" && {
      head: { ...(head !== "auto" && { at: head }), ...(classes !== undefined && { classes }) },
    }),
    ...(frozenNorms === true && { batchNorm: "frozen" }),
    ...(lora !== undefined && {
      lora: {
        rank: lora,
        ...(loraAlpha !== undefined && { alpha: loraAlpha }),
        ...(loraWeights !== undefined && { weights: loraWeights }),
      },
    }),
  };
}

async function run([model]: readonly string[], flags: Flags, console: Console): Promise<Outcome> {
  const config = await readConfig(undefined, tuning(configOf({ ...flags, model })));
  const stem = stemOf(model!);
  const out = config.out ?? join("lithe-out", `${stem}-finetuned`);
  const target = { title: `lithe: ${stem} fine-tuned`, name: `${stem}_finetuned`, out, resume: flags.resume === true };
  const trained = await runTraining(target, config, console);
  return showTraining(config, trained, console);
}

export const command: CommandModule = { declare, run };

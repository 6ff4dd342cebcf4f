/** @file The flags of `lithe finetune` beside those of training. */
import * as z from "zod";
import { beside, flag, names, only, positive, setting, text, unless, whole } from "../../settings/index.ts";
import type { Flags } from "./training-config.ts";
import { trainingFlags } from "./training-flags.ts";

const adapted = beside("--lora");

export const finetuneFlags = z.strictObject({
  ...trainingFlags,
  head: setting(
    "--head <at>",
    "the value that a new head reads; auto finds it, none keeps the old head",
    text().default("auto"),
  ),
  classes: only(unless("--head", "none"), setting("--classes <n>", "of the new head (those of the data)", whole(1))),
  frozenNorms: setting("--frozen-norms", "batch normalisation keeps its statistics", flag().exactOptional()),
  lora: setting(
    "--lora <rank>",
    "trains adapters of this rank and the new head instead of the weights",
    whole(1).exactOptional(),
  ),
  loraAlpha: only(
    adapted,
    setting("--lora-alpha <x>", "the scale of adapters times their rank (the rank)", positive()),
  ),
  loraWeights: only(
    adapted,
    setting("--lora-weights <patterns>", "weights that carry adapters (all that can)", names()),
  ),
  keepAdapters: only(
    adapted,
    setting("--keep-adapters <file>", "keeps adapters and head as a safetensors file as well", text()),
  ),
});

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

/** @file The flags of `lithe train` and `lithe finetune`: each says what a key of the configuration says. */
import type * as z from "zod";
import { flag, setting, whole } from "../../settings/index.ts";
import { silentFlags } from "../settings/flags.ts";
import { configSchema, type Flags } from "./training-config.ts";

export const trainingFlags = {
  ...silentFlags(configSchema),
  patience: setting(
    "--patience <n>",
    "ends the run after so many evaluations without an improvement",
    whole(1).exactOptional(),
  ),
  resume: setting("--resume", "goes on with an interrupted run", flag().exactOptional(), { role: "place" }),
} satisfies z.ZodRawShape;

/** The flags as keys of a configuration. */
export function configOf({ patience, resume: _, ...flags }: Flags): Flags {
  return { ...flags, ...(patience !== undefined && { earlyStopping: { patience } }) };
}

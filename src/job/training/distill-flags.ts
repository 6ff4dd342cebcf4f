/** @file The flags of `lithe distill`: those of training, and those of a teacher. */
import * as z from "zod";
import { memberOf, names, setting, text } from "../../settings/index.ts";
import { losses } from "../../train/index.ts";
import { silentFlags } from "../settings/flags.ts";
import { distillationSchema } from "./distillation-config.ts";
import type { Flags } from "./training-config.ts";
import { trainingFlags } from "./training-flags.ts";

const { loss: _, measureForms: __, ...shared }: z.ZodRawShape & typeof trainingFlags = trainingFlags;

export const distillFlags = z.strictObject({
  teacher: setting("--teacher <files>", "the .onnx file that is followed, or several", names()),
  student: setting("--student <file>", "the .onnx file that learns", text()),
  ...shared,
  data: setting("--data <path>", "folder or file with samples, labelled or not", text()),
  ...silentFlags(distillationSchema.omit({ teacher: true })),
  labelLoss: setting(
    "--label-loss <name>",
    "loss over labels, where the data has any (crossEntropy)",
    memberOf(losses).exactOptional(),
  ),
});

const own = Object.keys(distillationSchema.shape);

/** The flags of this command alone, as keys of a configuration. */
export function teaching({ student, labelLoss, ...given }: Flags): Flags {
  const entries = Object.entries(given).filter(([, value]) => value !== undefined);
  const isOwn = ([name]: readonly [string, unknown]) => own.includes(name);
  return {
    ...Object.fromEntries(entries.filter((entry) => !isOwn(entry))),
    model: student,
    ...(labelLoss !== undefined && { loss: labelLoss }),
    distillation: Object.fromEntries(entries.filter(isOwn)),
  };
}

/** @file The settings of a command that runs a technique: the technique's own between those that all share. */
import * as z from "zod";
import { LARGEST_ERROR } from "../../measure/index.ts";
import { flag, only, setting, text } from "../../settings/index.ts";
import type { Technique } from "../../technique/index.ts";
import { distilled, recoverySettings } from "../recovery.ts";
import { dataSettings, dryRun, runtimeSettings } from "../settings/settings.ts";
import { boundSettings } from "../verify/bounds.ts";

const place = { role: "place" } as const;

/** Where the result goes, and how. */
const placeSettings = {
  out: setting(
    "-o, --out <file>",
    "the file to write; the run with its report is put beside it (default: beside the model)",
    text().exactOptional(),
    place,
  ),
  dryRun: dryRun(),
};

const resume = <S extends z.ZodType>(schema: S): S =>
  setting("--resume", "go on with an interrupted run", schema, place);

/** What the job reads of every technique's settings. */
export const sharedSettings = z.strictObject({
  ...runtimeSettings,
  ...dataSettings,
  ...recoverySettings,
  resume: only(distilled, resume(flag())),
  ...placeSettings,
  ...boundSettings(),
});

export type SharedSettings = z.output<typeof sharedSettings>;

/** The flags of a technique's command. */
export function techniqueSettings({ settings, recovers, resumes, keeps }: Technique): z.ZodObject {
  return z.strictObject({
    ...runtimeSettings,
    ...dataSettings,
    ...settings.shape,
    ...(recovers && { ...recoverySettings, resume: only(distilled, resume(flag())) }),
    ...(resumes && { resume: resume(flag().exactOptional()) }),
    // What a technique says itself of a setting that all share counts.
    ...settings.shape,
    ...placeSettings,
    ...boundSettings(keeps === "numbers" ? LARGEST_ERROR : undefined),
  });
}

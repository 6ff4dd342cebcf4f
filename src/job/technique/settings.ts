/** @file The settings of a command that runs a technique: the technique's own between those that all share. */
import * as z from "zod";
import { LARGEST_ERROR } from "../../measure/index.ts";
import { executionProviders } from "../../runtime/index.ts";
import { flag, list, only, setting, text } from "../../settings/index.ts";
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

/** What techniques are held to that are to make models faster. */
const speedSettings = {
  allowSlower: setting("--allow-slower", "the result need not be as fast as the original", flag().exactOptional()),
};

const resume = <S extends z.ZodType>(schema: S): S =>
  setting("--resume", "go on with an interrupted run", schema, place);

/** Where else the result must give the same answers. */
const guardSettings = {
  checkEp: setting(
    "--check-ep <list>",
    "further providers that must give the same answers",
    list(executionProviders).default([]).exactOptional(),
  ),
};

/** What the job reads of every technique's settings. */
export const sharedSettings = z.strictObject({
  ...runtimeSettings,
  ...dataSettings,
  ...recoverySettings,
  resume: only(distilled, resume(flag())),
  ...placeSettings,
  ...guardSettings,
  ...speedSettings,
  ...boundSettings(),
});

export type SharedSettings = z.output<typeof sharedSettings>;

/** The flags of a technique's command. */
export function techniqueSettings({ settings, recovers, resumes, refusesSlower, keeps }: Technique): z.ZodObject {
  return z.strictObject({
    ...runtimeSettings,
    ...dataSettings,
    ...settings.shape,
    ...(recovers && { ...recoverySettings, resume: only(distilled, resume(flag())) }),
    ...(resumes && { resume: resume(flag().exactOptional()) }),
    ...(refusesSlower && speedSettings),
    // What a technique says itself of a setting that all share counts.
    ...settings.shape,
    ...placeSettings,
    ...guardSettings,
    ...boundSettings(keeps === "numbers" ? LARGEST_ERROR : undefined),
  });
}

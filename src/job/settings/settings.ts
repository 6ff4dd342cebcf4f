/** @file Settings that several commands share. */
import * as z from "zod";
import { presets } from "../../data/index.ts";
import { executionProviders } from "../../runtime/index.ts";
import { beside, type Condition, choice, memberOf, only, setting, text, whole } from "../../settings/index.ts";

/** The data are files, neither made up nor embedded. */
export const onFiles: Condition = {
  label: "files",
  expected: "--data PATH of files",
  got: ({ data }) => (data === undefined ? "no --data" : `--data ${data}`),
  holds: ({ data }) => data !== undefined && data !== "random" && data !== "demo",
};

/** The command runs the model only where data are given. */
export const withData: Condition = beside("--data");

export const runtimeSettings = {
  ep: setting("--ep <provider>", "execution provider", choice(executionProviders).default("cpu")),
  threads: setting("--threads <n>", "threads within an operator", whole(1).default(1)),
  batch: setting("--batch <n>", "samples per run (default: the model's own, or 1)", whole(1).exactOptional()),
  seed: setting("--seed <n>", "seed of everything random", whole(0).default(1)),
};

/** How many samples there are of each kind, at most, where nobody says; of those that are made up, fewer do. */
export const usualSamples = { calibration: 128, evaluation: 1000 } as const;
export const usualRandomSamples = { calibration: 16, evaluation: 32 } as const;

/** What samples are made of, without what they are labelled with. */
export function sampleSettings(use = "") {
  const kinds = "folder or file with samples; `random` for random inputs, `demo` for the embedded glyphs";
  return {
    data: setting("--data <path>", use + kinds, text().exactOptional()),
    preset: only(onFiles, setting("--preset <name>", "how pictures become tensors", memberOf(presets))),
    preprocess: only(onFiles, setting("--preprocess <file>", "the same as a JSON file", text())),
  };
}

/** What samples are made of. */
export const inputSettings = {
  ...sampleSettings(),
  labels: only(onFiles, setting("--labels <file>", "a file of labels, or the name of a column or array", text())),
};

const usual = {
  calibration: `(${usualSamples.calibration}, ${usualRandomSamples.calibration} random)`,
  evaluation: `(${usualSamples.evaluation}, ${usualRandomSamples.evaluation} random)`,
};

export const dataSettings = {
  ...inputSettings,
  calibrationSamples: setting(
    "--calibration-samples <n>",
    `samples for calibration ${usual.calibration}`,
    whole(1).exactOptional(),
  ),
  evalSamples: setting(
    "--eval-samples <n>",
    `samples for evaluation, at most ${usual.evaluation}`,
    whole(1).exactOptional(),
  ),
};

/** Where a result goes. */
export const dryRun = () =>
  setting("--dry-run", "check everything and say what would be done", z.boolean().exactOptional(), { role: "place" });

export type RuntimeOptions = z.output<z.ZodObject<typeof runtimeSettings>>;
export type InputOptions = z.output<z.ZodObject<typeof inputSettings>>;
export type DataOptions = z.output<z.ZodObject<typeof dataSettings>>;

/** @file What an acceleration is asked for. */
import * as z from "zod";
import { goals } from "../../accelerate/index.ts";
import { LARGEST_ERROR } from "../../measure/index.ts";
import { pruneTechnique } from "../../prune/index.ts";
import { executionProviders } from "../../runtime/index.ts";
import {
  among,
  beside,
  between,
  choice,
  flag,
  list,
  numbersBetween,
  only,
  seconds,
  setting,
  text,
} from "../../settings/index.ts";
import type { LoadedData } from "../data/loaded-data.ts";
import { distilled, recoverySettings } from "../recovery.ts";
import { dataSettings, runtimeSettings } from "../settings/settings.ts";

const place = { role: "place" } as const;

const pruned = beside("--prune");
const { criterion, ranking, round, most, exclude } = pruneTechnique.settings.shape;

/** Narrower networks that are tried, and how they are trained again. */
const changeSettings = {
  prune: setting(
    "--prune <shares>",
    "narrower networks are tried, too: shares of each width that go, `0.3,0.5`",
    numbersBetween(0.001, 0.999).exactOptional(),
  ),
  criterion: only(pruned, criterion),
  ranking: only(pruned, ranking),
  round: only(pruned, round),
  most: only(pruned, most),
  exclude: only(pruned, exclude),
  ...recoverySettings,
  trainData: only(
    distilled,
    setting("--train-data <path>", "samples to train on, in place of those that are left of --data", text()),
  ),
};

/** What asks for forms of the original alone. */
export const formSettings = z.strictObject({
  ...runtimeSettings,
  ...dataSettings,
  maxDrop: setting(
    "--max-drop <share>",
    "accuracy that may be lost; without labels, agreement",
    between(0, 1).default(0.01),
  ),
  allowError: setting(
    "--allow-error <error>",
    "relative error that every output may have",
    between(0, 1e6).default(LARGEST_ERROR),
  ),
  goal: setting("--goal <goal>", "what to make best", choice(goals).default("latency")),
  maxSlowdown: only(
    among("--goal", "size"),
    setting("--max-slowdown <share>", "how much slower the result may be (none)", between(0, 100)),
  ),
  budget: setting("--budget <time>", "time for the whole job", seconds().default(300), { role: "pace" }),
  weightBits: setting(
    "--weight-bits <bits>",
    "of int8 weights; 7 avoids saturation",
    choice(["auto", 7, 8]).default("auto"),
  ),
  checkEp: setting(
    "--check-ep <list>",
    "providers that must give the same answers",
    list(executionProviders).default(["wasm"]),
  ),
  out: setting("-o, --out <path>", "folder for model and report, or an .onnx file", text().exactOptional(), place),
  resume: setting("--resume", "go on with an interrupted run", flag().exactOptional(), place),
  dryRun: setting("--dry-run", "check model, data and options, change nothing", flag().exactOptional(), place),
});

export const accelerateSettings = z.strictObject({ ...formSettings.shape, ...changeSettings });

export type JobOptions = z.output<typeof accelerateSettings>;

export interface JobTarget {
  readonly path: string;
  readonly title: string;
  /** A folder, or the `.onnx` file to write. */
  readonly out: string;
  /** Data that no path names. */
  readonly data?: LoadedData;
  /** The command that does the same again. */
  readonly command?: string;
}

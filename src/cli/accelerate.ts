/** @file `lithe accelerate MODEL --data DATA`: the main job. */
import { basename, join } from "node:path";
import type { Command } from "commander";
import { goals } from "../accelerate/index.ts";
import { runJob } from "../job/accelerate/job.ts";
import type { JobOptions } from "../job/accelerate/job-options.ts";
import type { Console, Outcome } from "../job/console.ts";
import { among, only } from "../job/settings/conditions.ts";
import { between, choice, declareData, declareRuntime, list, seconds, valued } from "../job/settings/options.ts";
import { LARGEST_ERROR } from "../measure/index.ts";
import { executionProviders } from "../runtime/index.ts";
import type { CommandModule } from "./command.ts";

function declare(command: Command): void {
  declareData(declareRuntime(command.argument("<model>", "an .onnx file")))
    .option("--max-drop <share>", "accuracy that may be lost; without labels, agreement", between(0, 1), 0.01)
    .option("--allow-error <error>", "relative error that every output may have", between(0, 1e6), LARGEST_ERROR)
    .addOption(choice("--goal <goal>", "what to make best", goals, "latency"))
    .addOption(
      only(
        among("--goal", "size"),
        valued("--max-slowdown <share>", "how much slower the result may be (none)", between(0, 100)),
      ),
    )
    .option("--budget <time>", "time for the whole job", seconds, 300)
    .addOption(choice("--weight-bits <bits>", "of int8 weights; 7 avoids saturation", ["auto", "7", "8"], "auto"))
    .option("--check-ep <list>", "providers that must give the same answers", list(executionProviders), ["wasm"])
    .option("-o, --out <path>", "folder for model and report, or an .onnx file")
    .option("--resume", "go on with an interrupted run")
    .option("--dry-run", "check model, data and options, change nothing");
}

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const name = basename(path!).replace(/\.onnx$/, "");
  const options = given as unknown as JobOptions;
  return runJob(
    { path: path!, title: `lithe: ${name}`, out: options.out ?? join("lithe-out", name) },
    options,
    console,
  );
}

export const command: CommandModule = { declare, run };

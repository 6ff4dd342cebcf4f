/** @file The options of `lithe parallelize`, and what they must have beside each other. */
import type { Command } from "commander";
import { declareRecovery, type RecoveryFlags, requireSamplesFor } from "../job/recovery.ts";
import {
  between,
  choice,
  type DataOptions,
  declareData,
  declareRuntime,
  type RuntimeOptions,
  whole,
} from "../job/settings/options.ts";
import { type Bounds, declareBounds } from "../job/verify/bounds.ts";
import { type ArrangementName, arrangements } from "../parallel/index.ts";

export interface ParallelizeFlags extends RuntimeOptions, DataOptions, RecoveryFlags, Bounds {
  readonly branches: number;
  readonly group: number;
  readonly arrangement: ArrangementName;
  readonly depth?: number;
  readonly workers?: number;
  readonly out?: string;
  readonly dryRun?: boolean;
}

export function declareParallelize(command: Command): void {
  declareData(declareRuntime(command.argument("<model>", "an .onnx file")))
    .requiredOption("--branches <n>", "branches side by side: n × GROUP blocks become one parallel part", whole(1))
    .option("--group <g>", "blocks one behind the other inside a branch", whole(1), 1)
    .addOption(choice("--arrangement <name>", arrangementHelp(), Object.keys(arrangements), "blocks"))
    .option(
      "--depth <d>",
      "sequential depth to reach, in blocks; what becomes parallel is measured (needs data)",
      between(0, 1e6),
    );
  declareRecovery(command)
    .option("--workers <n>", "times the result spread over n workers too, each with --threads threads", whole(2))
    .option(
      "-o, --out <file>",
      "the file to write; the run with its report is put beside it (default: MODEL_parallel.onnx)",
    )
    .option("--dry-run", "check everything and say what would be done");
  declareBounds(command);
}

function arrangementHelp(): string {
  return Object.values(arrangements)
    .map(({ name, summary }) => `${name}: ${summary}`)
    .join("; ");
}

/** Before any work. */
export function requireSamples({ depth, finetune, data }: ParallelizeFlags): void {
  requireSamplesFor(depth !== undefined ? "--depth" : finetune !== undefined ? "--finetune" : undefined, data);
}

/** Beside the model. */
export function parallelPath(path: string): string {
  return `${path.replace(/\.onnx$/, "")}_parallel.onnx`;
}

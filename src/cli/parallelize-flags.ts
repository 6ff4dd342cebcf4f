/** @file The options of `lithe parallelize`, and what they must have beside each other. */
import type { Command } from "commander";
import { UsageError } from "../errors.ts";
import { type ArrangementName, arrangements } from "../parallel/index.ts";
import type { Bounds } from "./bounds.ts";
import {
  between,
  choice,
  type DataOptions,
  declareData,
  declareRuntime,
  type RuntimeOptions,
  whole,
} from "./options.ts";

export interface ParallelizeFlags extends RuntimeOptions, DataOptions, Bounds {
  readonly branches: number;
  readonly group: number;
  readonly arrangement: ArrangementName;
  readonly depth?: number;
  /** Epochs of distillation. */
  readonly finetune?: number;
  readonly learningRate: number;
  readonly trainBatch: number;
  readonly temperature: number;
  readonly featureWeight: number;
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
    )
    .option("--finetune <epochs>", "epochs of distillation from the original (needs data)", whole(1))
    .option("--learning-rate <x>", "highest learning rate of the distillation", between(0, 1e6), 5e-4)
    .option("--train-batch <n>", "samples per step of the distillation", whole(1), 32)
    .option("--temperature <t>", "of the soft targets", between(1e-3, 1e3), 2)
    .option("--feature-weight <w>", "weight of the outputs of blocks beside the answers", between(0, 1e6), 1)
    .option("--workers <n>", "times the result spread over n workers too, each with --threads threads", whole(2))
    .option("--max-drop <share>", "accuracy that may be lost (needs labels)", between(0, 1))
    .option("--min-agreement <share>", "share of answers (or cosine) that must agree", between(0, 1))
    .option(
      "-o, --out <file>",
      "the file to write; the run with its report is put beside it (default: MODEL_parallel.onnx)",
    )
    .option("--dry-run", "check everything and say what would be done");
}

function arrangementHelp(): string {
  return Object.values(arrangements)
    .map(({ name, summary }) => `${name}: ${summary}`)
    .join("; ");
}

/** Samples are never made up for what is chosen or learned by them. */
export function requireSamples({ depth, finetune, data }: ParallelizeFlags): void {
  const isGiven = data !== undefined && data !== "random";
  const asks = depth !== undefined ? "--depth" : finetune !== undefined ? "--finetune" : undefined;
  if (isGiven || asks === undefined) return;
  throw new UsageError(`${asks} needs data`, { expected: "--data PATH", got: data === undefined ? "none" : data });
}

/** Beside the model. */
export function parallelPath(path: string): string {
  return `${path.replace(/\.onnx$/, "")}_parallel.onnx`;
}

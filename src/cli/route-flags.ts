/** @file The options of `lithe route`. */
import type { Command } from "commander";
import { type RouteMethodName, routeMethods } from "../conditional/index.ts";
import { declareRecovery, type RecoveryFlags } from "../job/recovery.ts";
import { beside, only } from "../job/settings/conditions.ts";
import {
  between,
  choice,
  type DataOptions,
  declareData,
  declareRuntime,
  type RuntimeOptions,
  valued,
  whole,
} from "../job/settings/options.ts";
import { type Bounds, declareBounds } from "../job/verify/bounds.ts";

export interface RouteFlags extends RuntimeOptions, DataOptions, RecoveryFlags, Bounds {
  readonly experts: number;
  readonly topK: number;
  readonly method: RouteMethodName;
  /** With `finetune` only. */
  readonly balance?: number;
  readonly out?: string;
  readonly dryRun?: boolean;
}

export function declareRoute(command: Command): void {
  const methods = Object.values(routeMethods).map(({ name, summary }) => `${name}: ${summary}`);
  declareData(declareRuntime(command.argument("<model>", "an .onnx file")))
    .requiredOption("--experts <n>", "experts per feed-forward block", whole(1))
    .option("--top-k <k>", "experts that a token goes to", whole(1), 1)
    .addOption(choice("--method <name>", methods.join("; "), Object.keys(routeMethods), "copy"))
    .addOption(
      only(beside("--finetune"), valued("--balance <x>", "factor of the load-balance loss", between(0, 1e6), 0.01)),
    );
  declareRecovery(command)
    .option("-o, --out <file>", "the file to write (default: MODEL_routed.onnx)")
    .option("--dry-run", "check everything and say what would be done");
  declareBounds(command);
}

/** Beside the model. */
export function routedPath(path: string): string {
  return `${path.replace(/\.onnx$/, "")}_routed.onnx`;
}

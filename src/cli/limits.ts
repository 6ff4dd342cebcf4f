/** @file The bounds of whatever a command runs of a model: declared once, in force for every session that the command opens. */
import { basename } from "node:path";
import type { Command } from "commander";
import { type SessionLimits, setSessionDefaults } from "../runtime/index.ts";
import { byteCount, seconds } from "./options.ts";

export interface LimitOptions {
  /** Seconds. */
  readonly timeLimit?: number;
  /** Bytes. */
  readonly memoryLimit?: number;
}

export function declareLimits(command: Command): Command {
  return command
    .option("--time-limit <time>", "for loading the model, and for any one run of it (default: 2 minutes)", seconds)
    .option(
      "--memory-limit <size>",
      "of a process that runs the model, such as 4g (default: 60 % of what is free)",
      byteCount,
    );
}

/** Sets the bounds, and the first model file among the arguments as the name that errors give. */
export function limitSessions(args: readonly string[], { timeLimit, memoryLimit }: LimitOptions): void {
  const file = args.find((word) => word.endsWith(".onnx"));
  const limits: SessionLimits = {
    ...(timeLimit !== undefined && { time: Math.max(1, Math.ceil(1000 * timeLimit)) }),
    ...(memoryLimit !== undefined && { memory: memoryLimit }),
  };
  setSessionDefaults({ limits, ...(file !== undefined && { name: basename(file) }) });
}

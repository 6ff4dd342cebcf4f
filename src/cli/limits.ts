/** @file The bounds of whatever a command runs of a model: declared once, in force for every session that the command opens. */
import { basename } from "node:path";
import { byteCount, seconds } from "../job/settings/options.ts";
import { type SessionLimits, setSessionDefaults } from "../runtime/index.ts";
import type { CommandModule } from "./command.ts";

interface LimitOptions {
  /** Seconds. */
  readonly timeLimit?: number;
  /** Bytes. */
  readonly memoryLimit?: number;
}

/** The command with options for the bounds, which it does not see itself. */
export function withLimits({ declare, run }: CommandModule): CommandModule {
  return {
    declare(command) {
      declare(command);
      command
        .option("--time-limit <time>", "for loading the model, and for one run of it (default: 2 minutes)", seconds)
        .option(
          "--memory-limit <size>",
          "of a process that runs the model, such as 4g (default: by the machine)",
          byteCount,
        );
    },
    run(args, { timeLimit, memoryLimit, ...options }, console) {
      limitSessions([...args, String(options.model)], { timeLimit, memoryLimit } as LimitOptions);
      return run(args, options, console);
    },
  };
}

/** Sets the bounds, and the first model file among the words as the name that errors give. */
function limitSessions(words: readonly string[], { timeLimit, memoryLimit }: LimitOptions): void {
  const file = words.find((word) => word.endsWith(".onnx"));
  const limits: SessionLimits = {
    ...(timeLimit !== undefined && { time: Math.max(1, Math.ceil(1000 * timeLimit)) }),
    ...(memoryLimit !== undefined && { memory: memoryLimit }),
  };
  setSessionDefaults({ limits, ...(file !== undefined && { name: basename(file) }) });
}

/** @file The bounds of whatever a command runs of a model: declared once, in force for every session that the command opens. */
import { basename } from "node:path";
import * as z from "zod";
import { type SessionLimits, setSessionDefaults } from "../runtime/index.ts";
import { byteCount, seconds, setting } from "../settings/index.ts";
import type { CommandModule } from "./command.ts";

const limitSettings = {
  timeLimit: setting(
    "--time-limit <time>",
    "for loading the model, and for one run of it (default: 2 minutes)",
    seconds().exactOptional(),
  ),
  memoryLimit: setting(
    "--memory-limit <size>",
    "of a process that runs the model, such as 4g (default: by the machine)",
    byteCount().exactOptional(),
  ),
};

type Limits = z.output<z.ZodObject<typeof limitSettings>>;

/** The command with settings for the bounds, which it does not see itself. */
export function withLimits({ operands, settings, run }: CommandModule): CommandModule {
  return {
    operands,
    settings: settings.extend(limitSettings),
    run(words, given, console) {
      const { timeLimit: _, memoryLimit: __, ...own } = given;
      limitSessions([...words, String(own.model)], z.object(limitSettings).parse(given));
      return run(words, own, console);
    },
  };
}

/** Sets the bounds, and the first model file among the words as the name that errors give. */
function limitSessions(words: readonly string[], { timeLimit, memoryLimit }: Limits): void {
  const file = words.find((word) => word.endsWith(".onnx"));
  const limits: SessionLimits = {
    ...(timeLimit !== undefined && { time: Math.max(1, Math.ceil(1000 * timeLimit)) }),
    ...(memoryLimit !== undefined && { memory: memoryLimit }),
  };
  setSessionDefaults({ limits, ...(file !== undefined && { name: basename(file) }) });
}

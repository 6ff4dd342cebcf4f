/** @file The command of a technique: its settings between those that all share, run by the job that all share. */
import type * as z from "zod";
import { runTechnique, type Warn } from "../job/technique/job.ts";
import { techniqueSettings } from "../job/technique/settings.ts";
import type { Technique } from "../technique/index.ts";
import { type CommandModule, defineCommand } from "./command.ts";

export function techniqueCommand<S extends z.ZodObject>(technique: Technique<S>, warn?: Warn<S>): CommandModule {
  return defineCommand({
    operands: [...(technique.others ?? []), ["<model>", "an .onnx file"]],
    settings: techniqueSettings(technique),
    run: (paths, settings, console) => runTechnique(technique, paths, settings, console, warn),
  });
}

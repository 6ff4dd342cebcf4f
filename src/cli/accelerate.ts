/** @file `lithe accelerate MODEL --data DATA`: the main job. */
import { basename, join } from "node:path";
import { runJob } from "../job/accelerate/job.ts";
import { accelerateSettings } from "../job/accelerate/job-options.ts";
import { defineCommand } from "./command.ts";

export const command = defineCommand({
  operands: [["<model>", "an .onnx file"]],
  settings: accelerateSettings,
  run([path], settings, console) {
    const name = basename(path!).replace(/\.onnx$/, "");
    const target = { path: path!, title: `lithe: ${name}`, out: settings.out ?? join("lithe-out", name) };
    return runJob(target, settings, console);
  },
});

/** @file A training under way: its events are kept in the run folder and told. */
import type { RunFolder } from "../../report/index.ts";
import type { Run } from "../../runtime/index.ts";
import type { TrainEvent, TrainResult } from "../../train/index.ts";
import type { Console } from "../console.ts";

/** What it came to. */
export async function followed(
  run: Run<TrainEvent, TrainResult>,
  folder: RunFolder,
  console: Console,
): Promise<TrainResult> {
  for await (const event of run) {
    await folder.record(event);
    follow(event, console);
  }
  return await run.result;
}

function follow(event: TrainEvent, { say, progress }: Console): void {
  if (event.type === "start" && event.resumedFrom > 0) say(`resumed after batch ${event.resumedFrom}`);
  if (event.type === "early-stop") say(`ended early: ${event.reason}`);
  if (event.type === "step") {
    progress({ stage: "train", done: event.step, total: event.steps, detail: `loss ${event.loss.toFixed(4)}` });
  }
  if (event.type !== "evaluation") return;
  const metrics = Object.entries(event.metrics).map(([name, value]) => `${name} ${value.toFixed(4)}`);
  say(`epoch ${event.epoch}: ${metrics.join(", ")}${event.isBest ? " (best)" : ""}`);
}

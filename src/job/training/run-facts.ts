/** @file What a training run came to, for its report. */
import { join } from "node:path";
import { readText } from "../../file-system.ts";
import { type RunFolder, type TrainingFacts, trainingCurve, trainingMeasurements } from "../../report/index.ts";
import type { TrainReport } from "../../train/index.ts";

/** From the report of the trainer and the events in the run folder; `accumulate` is the number of batches per update. */
export async function runFacts(report: TrainReport, folder: RunFolder, accumulate = 1): Promise<TrainingFacts> {
  const { parameters, steps, updates, epochs, seconds, stoppedEarly, evaluations, best } = report;
  const lines = await readText(join(folder.path, "events.jsonl"));
  const measured = trainingMeasurements(lines);
  return {
    trained: parameters,
    steps,
    updates,
    epochs,
    seconds,
    stoppedEarly,
    monitor: best?.monitor ?? "loss",
    curve: trainingCurve(lines),
    evaluations: evaluations.map(({ epoch, update, metrics }) => ({
      epoch,
      step: update * accumulate,
      metrics,
      isBest: epoch === best?.epoch,
    })),
    ...(measured.length > 0 && { measured }),
  };
}

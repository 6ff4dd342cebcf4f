/** @file A place for the checkpoints of a training that may be interrupted, and the CPU time that it has taken so far. */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeAtomically } from "../src/atomic-file.ts";
import type { Run } from "../src/runtime/index.ts";
import type { TrainEvent, TrainResult } from "../src/train/index.ts";

export interface Trained extends TrainResult {
  /** CPU time of training with its evaluations, all threads together; what an interruption threw away is not in it. */
  readonly cpuMinutes: number;
}

/**
 * Trains with checkpoints in a folder that the same `name` finds again after an interruption, and that is removed at the
 * end. `start` is given the folder.
 */
export async function trainResumably(
  name: string,
  start: (folder: string) => Run<TrainEvent, TrainResult>,
  log: (line: string) => void,
): Promise<Trained> {
  const folder = join(tmpdir(), `litheml-experiment-${name}`);
  const record = join(folder, "cpu-minutes.txt");
  const earlier = existsSync(record) ? Number(readFileSync(record, "utf8")) : 0;
  mkdirSync(folder, { recursive: true });
  const before = process.cpuUsage();
  const spent = (): number => {
    const { user, system } = process.cpuUsage(before);
    return earlier + (user + system) / 6e7;
  };
  const run = start(folder);
  for await (const event of run) {
    if (event.type === "checkpoint") await writeAtomically(record, String(spent()));
    const line = described(event);
    if (line !== undefined) log(`${name}: ${line}, ${spent().toFixed(1)} CPU minutes`);
  }
  const result = await run.result;
  rmSync(folder, { recursive: true });
  return { ...result, cpuMinutes: spent() };
}

const STEPS_PER_LINE = 50;

function described(event: TrainEvent): string | undefined {
  if (event.type === "start") return `from batch ${event.resumedFrom}`;
  if (event.type === "evaluation") return `epoch ${event.epoch} ${JSON.stringify(event.metrics)}`;
  if (event.type !== "step" || event.step % STEPS_PER_LINE !== 0) return undefined;
  return `batch ${event.step} of ${event.steps}, loss ${event.loss.toFixed(3)}`;
}

/** Mean and standard deviation (n − 1) of the results of several seeds. */
export function meanAndDeviation(values: readonly number[]): { readonly mean: number; readonly deviation: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const squares = values.reduce((sum, x) => sum + (x - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / Math.max(1, values.length - 1)) };
}

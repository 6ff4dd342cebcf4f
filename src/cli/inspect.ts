/** @file `lithe inspect MODEL`: what it is made of, and with data how much it does. */
import type { Command } from "commander";
import type { Model } from "../ir/index.ts";
import type { Console, Outcome } from "../job/console.ts";
import { firstBatch, loadData } from "../job/data/load.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { inspection } from "../job/model/inspection.ts";
import { measuredWork } from "../job/model/measured-work.ts";
import { fingerprint } from "../job/model/model-file.ts";
import { only, withData } from "../job/settings/conditions.ts";
import {
  type DataOptions,
  declareSamples,
  parseDims,
  usualRandomSamples,
  usualSamples,
  valued,
  whole,
} from "../job/settings/options.ts";
import { loadModel } from "../onnx/files.ts";
import type { CommandModule } from "./command.ts";
import { showInspection } from "./inspect-text.ts";

interface InspectOptions extends Omit<DataOptions, "labels" | "calibrationSamples"> {
  readonly dims: ReadonlyMap<string, number>;
  readonly layers?: boolean;
  readonly batch?: number;
  readonly seed?: number;
}

function declare(command: Command): void {
  const usual = `(${usualSamples.evaluation}, ${usualRandomSamples.evaluation} random)`;
  declareSamples(command.argument("<model>", "an .onnx file"), "also run the model, and count its work: ")
    .addOption(only(withData, valued("--eval-samples <n>", `samples to count on, at most ${usual}`, whole(1))))
    .addOption(only(withData, valued("--batch <n>", "samples per run (default: the model's own, or 1)", whole(1))))
    .addOption(only(withData, valued("--seed <n>", "seed of everything random", whole(0), 1)))
    .option("--dims <list>", "lengths of symbolic dims, `batch=1,length=128`", parseDims, new Map())
    .option("--layers", "one line per node that computes");
}

async function run(
  [path]: readonly string[],
  given: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const options = given as unknown as InspectOptions;
  const model = await loadModel(path!);
  const data = await dataOf(model, options, console);
  const facts = inspection(model, await fingerprint(path!), options.dims, data && (await dimsOf(data)));
  const measured = data && (await measuredWork(model, data.evaluation(), console.signal));
  if (!console.json) showInspection(facts, measured, options.layers === true, console);
  const work = { ...facts.work, measured: measured ?? null };
  return { result: { ...facts, work }, ok: facts.problems.length === 0 };
}

function dataOf(model: Model, options: InspectOptions, console: Console): Promise<LoadedData> | undefined {
  if (options.data === undefined) return undefined;
  return loadData(model, { seed: 1, ...options, ep: "cpu", threads: 1 }, console);
}

/** Dims of the inputs, as the first batch has them. */
async function dimsOf(data: LoadedData): Promise<Map<string, readonly number[]>> {
  const { feeds } = await firstBatch(data);
  return new Map([...feeds].map(([name, { dims }]) => [name, dims]));
}

export const command: CommandModule = { declare, run };

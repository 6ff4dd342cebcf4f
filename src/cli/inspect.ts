/** @file `lithe inspect MODEL`: what it is made of, and with data how much it does. */

import * as z from "zod";
import { type Model, printModel } from "../ir/index.ts";
import type { Console, Outcome } from "../job/console.ts";
import { firstBatch, loadData } from "../job/data/load.ts";
import type { LoadedData } from "../job/data/loaded-data.ts";
import { inspection } from "../job/model/inspection.ts";
import { measuredWork } from "../job/model/measured-work.ts";
import { fingerprint } from "../job/model/model-file.ts";
import { sampleSettings, usualRandomSamples, usualSamples, withData } from "../job/settings/settings.ts";
import { loadModel } from "../onnx/files.ts";
import { flag, lengths, only, setting, whole } from "../settings/index.ts";
import { defineCommand } from "./command.ts";
import { showInspection } from "./inspect-text.ts";

const usual = `(${usualSamples.evaluation}, ${usualRandomSamples.evaluation} random)`;

const settings = z.strictObject({
  ...sampleSettings("also run the model, and count its work: "),
  evalSamples: only(withData, setting("--eval-samples <n>", `samples to count on, at most ${usual}`, whole(1))),
  batch: only(withData, setting("--batch <n>", "samples per run (default: the model's own, or 1)", whole(1))),
  seed: only(withData, setting("--seed <n>", "seed of everything random", whole(0).default(1))),
  dims: setting("--dims <list>", "lengths of symbolic dims, `batch=1,length=128`", lengths().default(new Map())),
  text: setting("--text", "the model as ONNX text, large tensors by their digests", flag().exactOptional()),
  layers: setting("--layers", "one line per node that computes", flag().exactOptional()),
});

type InspectOptions = z.output<typeof settings>;

async function run([path]: readonly string[], options: InspectOptions, console: Console): Promise<Outcome> {
  const model = await loadModel(path!);
  const text = options.text ? printModel(model) : undefined;
  const data = await dataOf(model, options, console);
  const facts = inspection(model, await fingerprint(path!), options.dims, data && (await dimsOf(data)));
  const measured = data && (await measuredWork(model, data.evaluation(), console.signal));
  if (!console.json) showInspection(facts, measured, options.layers === true, console);
  if (!console.json && text !== undefined) for (const line of ["", ...text.trimEnd().split("\n")]) console.say(line);
  const work = { ...facts.work, measured: measured ?? null };
  return { result: { ...facts, work, ...(text !== undefined && { text }) }, ok: facts.problems.length === 0 };
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

export const command = defineCommand({ operands: [["<model>", "an .onnx file"]], settings, run });

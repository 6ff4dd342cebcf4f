/** @file The data that commands work on: opened, divided into disjoint parts, checked against the model. */

import {
  batches,
  checkDatasetLabels,
  type Dataset,
  glyphs,
  type InputPort,
  openData,
  parsePreprocess,
  split,
} from "../../data/index.ts";
import { DataError, UsageError } from "../../errors.ts";
import { readText } from "../../file-system.ts";
import { dataTypes, type Model } from "../../ir/index.ts";
import { timedInputs } from "../../measure/index.ts";
import { inferModel } from "../../ops/index.ts";
import { checkCancelled, type Feeds } from "../../runtime/index.ts";
import type { Console } from "../console.ts";
import { inputPorts } from "../model/model-file.ts";
import { type DataOptions, type RuntimeOptions, usualSamples } from "../settings/settings.ts";
import type { LabelledFeeds, LoadedData } from "./loaded-data.ts";
import { randomData } from "./random-data.ts";

/**
 * Opens the data that the options name, says what was assumed about it, and reads one batch of it, so that data which does not
 * fit is found before any work. Iterations end when the console's signal is aborted.
 */
export async function loadData(
  model: Model,
  options: DataOptions & RuntimeOptions,
  { say, signal }: Pick<Console, "say" | "signal">,
): Promise<LoadedData> {
  if (options.data === undefined) {
    throw new UsageError("no data was given", {
      expected: "--data PATH",
      hint: "Without any, --data random measures on random inputs, and the report says so.",
    });
  }
  const data = await opened(options.data, model, options);
  for (const assumption of data.assumptions) say(`assumed: ${assumption}`);
  await firstBatch(data);
  return {
    ...data,
    calibration: () => untilAborted(data.calibration(), signal),
    evaluation: () => untilAborted(data.evaluation(), signal),
  };
}

/** The first batch of evaluation data. */
export async function firstBatch({ evaluation }: Pick<LoadedData, "evaluation">): Promise<LabelledFeeds> {
  for await (const batch of evaluation()) return batch;
  throw new DataError("the data has no sample");
}

/** What is timed of the evaluation data, see `timedInputs`, and the samples in each. */
export async function timedBatches(
  data: Pick<LoadedData, "evaluation">,
  isDependent: boolean,
): Promise<{ readonly feeds: readonly Feeds[]; readonly count: number }> {
  const found = await timedInputs(data.evaluation(), isDependent);
  return { feeds: found.map(({ feeds }) => feeds), count: found[0]!.count };
}

async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    checkCancelled(signal);
    yield item;
  }
}

async function opened(path: string, model: Model, options: DataOptions & RuntimeOptions): Promise<LoadedData> {
  const ports = inputPorts(model);
  if (path === "random") return randomData(model, ports, options);
  if (path === "demo") return demoData(ports, options);
  const dataset = await openDataset(path, ports, options);
  const count = classesOf(model);
  if (count > 0) await checkDatasetLabels(dataset, { kind: "classes", count });
  const { calibrationSamples = usualSamples.calibration, evalSamples = usualSamples.evaluation } = options;
  const calibration = Math.min(calibrationSamples, Math.max(1, Math.floor(dataset.size / 2)));
  const evaluation = Math.min(evalSamples, dataset.size - calibration);
  if (evaluation < 1)
    throw new DataError("too few samples to calibrate and evaluate on", {
      expected: "2 or more",
      got: `${dataset.size}`,
    });
  const { seed } = options;
  const parts = await split(dataset, { calibration, evaluation, seed });
  const { evaluation: training } = await split(dataset, { calibration: calibration + evaluation, seed });
  const stacked = options.batch === undefined ? { port: ports } : { port: ports, batch: options.batch };
  return {
    source: `${dataset.size} samples`,
    assumptions: dataset.assumptions ?? [],
    hasLabels: dataset.labels !== undefined,
    calibration: () => batches(parts.calibration, stacked),
    evaluation: () => batches(parts.evaluation, stacked),
    calibrationSize: calibration,
    evaluationSize: evaluation,
    datasets: { calibration: parts.calibration, training },
  };
}

/** The most classes that an output [N, classes, 1, …] of the model tells apart; 0 where none is known to be of that kind. */
function classesOf(model: Model): number {
  const { types } = inferModel(model);
  const counts = model.graph.outputs.map((value) => {
    const type = types.get(value) ?? value.type;
    if (type?.kind !== "tensor" || dataTypes[type.dtype].kind !== "float") return 0;
    const [, classes, ...rest] = type.dims ?? [];
    return typeof classes === "number" && classes > 1 && rest.every((dim) => dim === 1) ? classes : 0;
  });
  return counts.reduce((most, count) => Math.max(most, count), 0);
}

/** Pictures of the demo set to train on. */
const DEMO_TRAINING = 2000;

/** The embedded glyphs; calibration and evaluation are drawn from different streams. */
function demoData(ports: readonly InputPort[], options: DataOptions & RuntimeOptions): LoadedData {
  const { batch, calibrationSamples = usualSamples.calibration, evalSamples = usualSamples.evaluation } = options;
  const stacked = batch === undefined ? { port: ports } : { port: ports, batch };
  const [port] = ports;
  const parts = port ? { port } : {};
  const calibration = glyphs({ split: "calibration", size: calibrationSamples, ...parts });
  const evaluation = glyphs({ split: "test", size: evalSamples, ...parts });
  return {
    source: "the embedded glyphs",
    assumptions: [],
    hasLabels: true,
    calibration: () => batches(calibration, stacked),
    evaluation: () => batches(evaluation, stacked),
    calibrationSize: calibrationSamples,
    evaluationSize: evalSamples,
    datasets: { calibration, training: glyphs({ split: "train", size: DEMO_TRAINING, ...parts }) },
  };
}

/** The data at a path, for a model's inputs, or as it is where there is no model yet. */
export async function openDataset(
  path: string,
  ports: readonly InputPort[] | undefined,
  options: Pick<DataOptions, "preset" | "preprocess" | "labels">,
): Promise<Dataset> {
  const spec = await preprocessing(options);
  const [first] = ports ?? [];
  if (ports && !first) throw new DataError("the model has no inputs to give data to");
  return openData(path, {
    ...(ports && first && { port: ports.length === 1 ? first : ports }),
    ...(spec !== undefined && { preprocess: spec }),
    ...(options.labels !== undefined && { labels: options.labels }),
  });
}

async function preprocessing({ preset, preprocess }: Pick<DataOptions, "preset" | "preprocess">) {
  if (preset !== undefined && preprocess !== undefined) {
    throw new UsageError("pictures are prepared in one way only", { got: "--preset and --preprocess" });
  }
  if (preprocess === undefined) return preset === undefined ? undefined : parsePreprocess(preset);
  const text = await readText(preprocess).catch((cause: Error) => {
    throw new UsageError("the preprocess file cannot be read", { got: cause.message, where: preprocess, cause });
  });
  return parsePreprocess(parseJson(text, preprocess), preprocess);
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new UsageError("the file is not JSON", { where, cause });
  }
}

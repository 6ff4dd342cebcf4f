/** @file What commands work on: models from files, data from paths. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import {
  batches,
  type Dataset,
  glyphs,
  type InputPort,
  openData,
  parsePreprocess,
  split,
  syntheticFeeds,
} from "../data/index.ts";
import { DataError, UsageError } from "../errors.ts";
import { constantOf, type Graph, intOf, type Model, producerOf, type Tensor, type Value } from "../ir/index.ts";
import { inferModel } from "../ops/index.ts";
import type { Feeds } from "../runtime/index.ts";
import type { DataOptions, RuntimeOptions } from "./options.ts";

export interface LabelledFeeds {
  readonly feeds: Feeds;
  readonly labels?: readonly number[];
  readonly count: number;
}

export interface LoadedData {
  /** For reports: what it is and what was assumed. */
  readonly source: string;
  readonly assumptions: readonly string[];
  readonly hasLabels: boolean;
  readonly calibration: () => AsyncIterable<LabelledFeeds>;
  readonly evaluation: () => AsyncIterable<LabelledFeeds>;
  readonly calibrationSize: number;
  readonly evaluationSize: number;
}

/** The model's inputs that are not initializers, with types as far as inference knows them. */
export function inputPorts(model: Model): InputPort[] {
  const { types } = inferModel(model);
  return model.graph.inputs
    .filter((value) => !model.graph.initializers.has(value))
    .map((value) => {
      const type = types.get(value) ?? value.type;
      const isTensor = type?.kind === "tensor";
      return {
        name: value.name,
        dtype: isTensor ? type.dtype : undefined,
        ...(isTensor && type.dims && { dims: type.dims }),
      };
    });
}

/** The hash and size of a model with the files beside it. */
export async function fingerprint(path: string): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
  const { size } = await stat(path);
  const external = await stat(`${path}.data`).catch(() => undefined);
  return { sha256: hash.digest("hex"), bytes: size + (external?.size ?? 0) };
}

/** Opens the data that the options name and divides it into disjoint parts for calibration and evaluation. */
export async function loadData(model: Model, options: DataOptions & RuntimeOptions): Promise<LoadedData> {
  if (options.data === undefined) {
    throw new UsageError("no data was given", {
      expected: "--data PATH",
      hint: "Without any, --data random measures on random inputs, and the report says so.",
    });
  }
  const ports = inputPorts(model);
  if (options.data === "random") return randomData(model, ports, options);
  if (options.data === "demo") return demoData(ports, options);
  const dataset = await openDataset(options.data, ports, options);
  const calibration = Math.min(options.calibrationSamples, Math.max(1, Math.floor(dataset.size / 2)));
  const evaluation = Math.min(options.evalSamples, dataset.size - calibration);
  if (evaluation < 1)
    throw new DataError("too few samples to calibrate and evaluate on", {
      expected: "2 or more",
      got: `${dataset.size}`,
    });
  const parts = await split(dataset, { calibration, evaluation, seed: options.seed });
  const stacked = options.batch === undefined ? { port: ports } : { port: ports, batch: options.batch };
  return {
    source: `${dataset.size} samples`,
    assumptions: dataset.assumptions ?? [],
    hasLabels: dataset.labels !== undefined,
    calibration: () => batches(parts.calibration, stacked),
    evaluation: () => batches(parts.evaluation, stacked),
    calibrationSize: calibration,
    evaluationSize: evaluation,
  };
}

/** The embedded glyphs; calibration and evaluation are drawn from different streams. */
function demoData(
  ports: readonly InputPort[],
  { calibrationSamples, evalSamples, batch }: DataOptions & RuntimeOptions,
): LoadedData {
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
  };
}

async function openDataset(path: string, ports: readonly InputPort[], options: DataOptions): Promise<Dataset> {
  const spec = await preprocessing(options);
  const [first] = ports;
  if (!first) throw new DataError("the model has no inputs to give data to");
  return openData(path, {
    port: ports.length === 1 ? first : ports,
    ...(spec !== undefined && { preprocess: spec }),
    ...(options.labels !== undefined && { labels: options.labels }),
  });
}

async function preprocessing({ preset, preprocess }: DataOptions) {
  if (preset !== undefined && preprocess !== undefined) {
    throw new UsageError("pictures are prepared in one way only", { got: "--preset and --preprocess" });
  }
  if (preprocess === undefined) return preset === undefined ? undefined : parsePreprocess(preset);
  const text = await readFile(preprocess, "utf8").catch((cause: unknown) => {
    throw new UsageError("the preprocess file cannot be read", { where: preprocess, cause });
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

function randomData(model: Model, ports: readonly InputPort[], options: DataOptions & RuntimeOptions): LoadedData {
  const calibrationSize = Math.min(options.calibrationSamples, 16);
  const evaluationSize = Math.min(options.evalSamples, 32);
  const make = (stream: number, count: number) =>
    async function* (): AsyncGenerator<LabelledFeeds> {
      for (let i = 0; i < count; i++) yield { feeds: randomFeeds(model, ports, options, stream + i), count: 1 };
    };
  return {
    source: "random inputs",
    assumptions: syntheticFeeds(ports, { seed: options.seed, batch: options.batch ?? 1 }).assumptions,
    hasLabels: false,
    calibration: make(1_000_000, calibrationSize),
    evaluation: make(2_000_000, evaluationSize),
    calibrationSize,
    evaluationSize,
  };
}

/** The inputs of one run, for timing. */
export async function firstFeeds(
  model: Model,
  options: DataOptions & RuntimeOptions,
): Promise<{ feeds: Feeds; source: string }> {
  const data = await loadData(model, options);
  for await (const { feeds } of data.evaluation()) return { feeds, source: data.source };
  throw new DataError("the data has no sample");
}

/** Random inputs of one run. */
export function randomFeeds(
  model: Model,
  ports: readonly InputPort[],
  { seed, batch = 1 }: RuntimeOptions,
  offset = 0,
): ReadonlyMap<string, Tensor> {
  return syntheticFeeds(ports, { seed: seed + offset, batch, vocabulary: vocabularies(model) }).feeds;
}

/** For each input whose integers choose rows of a table, the number of rows. */
function vocabularies(model: Model): ReadonlyMap<string, number> {
  const bounds = new Map<string, number>();
  for (const node of model.graph.nodes) {
    const [table, indices] = node.inputs;
    const rows =
      node.opType === "Gather" && intOf(node, "axis", 0) === 0 ? constantOf(model.graph, table)?.dims[0] : undefined;
    if (rows === undefined || !indices) continue;
    const input = sourceOf(model.graph, indices);
    bounds.set(input.name, Math.min(rows, bounds.get(input.name) ?? 100));
  }
  return bounds;
}

/** The value behind casts and copies. */
function sourceOf(graph: Graph, value: Value): Value {
  const producer = producerOf(graph, value);
  const isCopy = producer?.opType === "Cast" || producer?.opType === "Identity";
  return isCopy && producer.inputs[0] ? sourceOf(graph, producer.inputs[0]) : value;
}

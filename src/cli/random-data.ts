/** @file Random inputs for models without data: enough to time, and to see whether two models agree. */
import { type InputPort, syntheticFeeds } from "../data/index.ts";
import { constantOf, type Graph, intOf, type Model, producerOf, type Tensor, type Value } from "../ir/index.ts";
import type { LabelledFeeds, LoadedData } from "./load.ts";
import type { DataOptions, RuntimeOptions } from "./options.ts";

export function randomData(
  model: Model,
  ports: readonly InputPort[],
  options: DataOptions & RuntimeOptions,
): LoadedData {
  const calibrationSize = Math.min(options.calibrationSamples, 16);
  const evaluationSize = Math.min(options.evalSamples, 32);
  const make = (stream: number, count: number) =>
    async function* (): AsyncGenerator<LabelledFeeds> {
      for (let i = 0; i < count; i++)
        yield { feeds: randomFeeds(model, ports, options, stream + i), count: options.batch ?? 1 };
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

/** Random inputs of one run. */
function randomFeeds(
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

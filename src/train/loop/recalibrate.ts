/** @file Running statistics measured anew, after weights were changed or shared: Yu and Huang (2019), arXiv:1903.05134. */
import { must } from "../../checked.ts";
import { type Dataset, inlineLoader } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import {
  editGraph,
  float,
  type Graph,
  type Model,
  namesOf,
  numbersOf,
  opsetOf,
  storedWeights,
  TARGET_OPSET,
  type Tensor,
  tensorFromNumbers,
  withGraph,
  withoutDeadNodes,
} from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkCancelled, type OpenSession, openSession, type SessionOptions } from "../../runtime/index.ts";
import { type BatchSource, batchForm, dataInputs, epochOrder, fedBatches, fixedBatch } from "../feeds/batch-feeds.ts";
import { checkDrives, type Drives, evaluationFeeds, undriven } from "../feeds/drive.ts";
import { newBuilder } from "../step/fresh-input.ts";
import { trainingMode } from "../step/training-mode.ts";
import { withParameters } from "./trained-model.ts";

export interface RecalibrateOptions {
  /** Samples as they are trained on; labels are not read. */
  readonly data: Dataset;
  /** As many batches are read, in a random order; all by default. */
  readonly batches?: number;
  /** Samples per batch; 128 unless the model has a fixed size. */
  readonly batch?: number;
  readonly seed?: number;
  /** Inputs of the model that the data does not have. */
  readonly drive?: Drives;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
}

const recalibrateOptionsNames: OptionNames<RecalibrateOptions> = {
  data: true,
  batches: true,
  batch: true,
  seed: true,
  drive: true,
  session: true,
  open: true,
  signal: true,
};

/**
 * The model with other running statistics in its BatchNormalizations and all else as it was: the mean over the batches of the mean, and of
 * the unbiased variance, that each channel has in a batch while all norms go by their batch. The same model where there are none.
 *
 * @throws UsageError for data with too few samples; UnsupportedError for norms whose statistics are no constants
 */
export async function recalibrated(model: Model, options: RecalibrateOptions): Promise<Model> {
  const { data, batches = Number.POSITIVE_INFINITY, seed = 0, signal } = checkOptions(options, recalibrateOptionsNames);
  checkDrives(model.graph, options.drive);
  const measured = statisticsOf(model);
  if (measured.outputs.size === 0) return model;
  const source = sourceOf(measured.model.graph, options);
  const loader = inlineLoader(data, batchForm(source));
  await using session = await (options.open ?? openSession)(measured.model, {
    step: "recalibrating",
    ...options.session,
  });
  const positions = epochOrder(data.size, seed, 0).slice(0, Math.min(data.size, batches * source.size));
  const sums: Sums = new Map();
  let count = 0;
  for await (const fed of fedBatches(source, loader, { positions, seed, epoch: 0 })) {
    checkCancelled(signal);
    const results = await session.run(new Map([...fed.feeds, ...evaluationFeeds(options.drive)]));
    for (const [name, output] of measured.outputs) addTo(sums, name, must(results, output), fed.count);
    count += fed.count;
  }
  if (count === 0) {
    throw new UsageError("there are too few samples for one batch", {
      expected: `${source.size}`,
      got: `${data.size} samples`,
    });
  }
  const means = [...sums].map(([name, { of, numbers }]): [string, Tensor] => [
    name,
    tensorFromNumbers(
      of.dtype,
      of.dims,
      numbers.map((x) => x / count),
    ),
  ]);
  return withParameters(model, new Map(means));
}

function sourceOf(graph: Graph, { data, batch, drive }: RecalibrateOptions): BatchSource {
  const inputs = undriven(dataInputs(graph), drive);
  return { data, inputs, size: batch ?? fixedBatch(inputs) ?? 128 };
}

type Sums = Map<string, { readonly of: Tensor; readonly numbers: Float64Array }>;

function addTo(sums: Sums, name: string, of: Tensor, weight: number): void {
  const values = numbersOf(of);
  const { numbers } = sums.get(name) ?? { numbers: new Float64Array(values.length) };
  sums.set(name, { of, numbers });
  for (const [i, x] of values.entries()) numbers[i]! += weight * x;
}

/** A model that gives the statistics of its batch, by the names of those that run. */
function statisticsOf(model: Model): { readonly model: Model; readonly outputs: ReadonlyMap<string, string> } {
  checkOpset(model);
  const typed = inferShapes(storedWeights(model));
  const scope = namesOf(typed);
  const g = newBuilder(scope, "recalibrate/");
  const { graph, statistics } = trainingMode(forgetful(typed.graph), g, { names: scope, batchNorm: "train" });
  const outputs = [...statistics.values()];
  const nodes = [...graph.nodes, ...g.raw.nodes];
  const living = withoutDeadNodes(nodes, new Map([...graph.initializers, ...g.raw.initializers]), outputs);
  return {
    model: withGraph(typed, { ...graph, ...living, inputs: dataInputs(graph), outputs }),
    outputs: new Map([...statistics].map(([running, next]) => [running.name, next.name])),
  };
}

/** With a momentum of 0 the next running statistics are those of the batch. */
function forgetful(graph: Graph): Graph {
  return editGraph(graph, (draft) => {
    for (const node of draft.nodesOfType("BatchNormalization"))
      draft.replaceNode(node, { ...node, attributes: new Map([...node.attributes, ["momentum", float(0)]]) });
  });
}

function checkOpset(model: Model): void {
  const opset = opsetOf(model);
  if (opset === TARGET_OPSET) return;
  throw new UsageError("statistics are measured of models of lithe's opset", {
    expected: `opset ${TARGET_OPSET}`,
    got: `opset ${opset}`,
    hint: "Run the pass upgradeOpset first.",
  });
}

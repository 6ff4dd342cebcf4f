/** @file The loss and metrics of a model on data. */
import { inlineLoader } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { type LabelDomain, type Model, namesOf, numbersOf, TARGET_OPSET, withGraph } from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkCancelled, type OpenSession, openSession, type SessionOptions } from "../../runtime/index.ts";
import { type BatchSource, batchForm, dataInputs, fedBatches, fixedBatch } from "../feeds/batch-feeds.ts";
import { checkDrives, type Drives, evaluationFeeds, undriven } from "../feeds/drive.ts";
import { predictedOutput } from "../feeds/predicted-output.ts";
import { type Metric, type MetricName, metrics } from "../metrics/index.ts";
import { newBuilder } from "../step/fresh-input.ts";
import { buildObjective, type ObjectiveOptions, takesProbabilities } from "../step/objective.ts";

export interface EvaluateOptions extends ObjectiveOptions {
  readonly data: BatchSource["data"];
  /** What the prediction is measured by, against the labels of the loss. */
  readonly metrics?: readonly (Metric | MetricName)[];
  /** Inputs of the model that the data does not have. */
  readonly drive?: Drives;
  /** The input of a sample that holds its label; its class index when absent. */
  readonly labels?: string;
  /** Samples per batch; 64 unless the model has a fixed size. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
}

export const evaluateOptionsNames: OptionNames<EvaluateOptions> = {
  data: true,
  metrics: true,
  drive: true,
  labels: true,
  batch: true,
  session: true,
  open: true,
  signal: true,
  loss: true,
  terms: true,
  output: true,
};

/**
 * Runs the model in inference form over all samples. `loss` is the sum that training minimises, beside it stands every
 * term without its weight; both are means over the batches, each by its number of samples. Of several outputs, none of which is named, a loss
 * of classes reads the one with as many scores as the data has classes, as in `fit`: name it where the data holds only some of them.
 *
 * @throws UsageError where the data decides for none of several outputs
 */
export async function evaluateModel(model: Model, options: EvaluateOptions): Promise<Record<string, number>> {
  checkOptions(options, evaluateOptionsNames);
  const { open = openSession, session: sessionOptions = {}, drive } = options;
  checkDrives(model.graph, drive);
  const output = await predictedOutput(model, options.data, options);
  const measured = withObjective(model, output === undefined ? options : { ...options, output });
  const { labels, labelDomain } = measured;
  const inputs = undriven(dataInputs(model.graph), drive);
  const source: BatchSource = {
    data: options.data,
    inputs,
    labels,
    labelInput: options.labels,
    labelDomain,
    size: options.batch ?? fixedBatch(inputs) ?? 64,
    takesProbabilities: takesProbabilities(options),
  };
  const loader = inlineLoader(source.data, batchForm(source));
  const states = (options.metrics ?? [])
    .map((metric) => metricOf(metric, labelDomain))
    .map((metric) => ({ metric, state: metric.start() }));
  if (states.length > 0 && !labels) throw new UsageError("metrics need labels, which only a loss brings");
  await using session = await open(measured.model, { step: "evaluating", ...sessionOptions });
  const fetches = [...measured.means.values(), measured.prediction];
  const sums = new Map([...measured.means.keys()].map((name) => [name, 0]));
  let count = 0;
  for await (const fed of fedBatches(source, loader, { positions: range(options.data.size), seed: 0, epoch: 0 })) {
    checkCancelled(options.signal);
    const results = await session.run(new Map([...fed.feeds, ...evaluationFeeds(drive)]), { fetches });
    for (const [name, output] of measured.means) {
      sums.set(name, sums.get(name)! + numbersOf(results.get(output)!)[0]! * fed.count);
    }
    count += fed.count;
    for (const { state } of states) state.add(results.get(measured.prediction)!, fed.feeds.get(labels!.name)!);
  }
  if (count === 0) {
    throw new UsageError("there are too few samples for one batch", {
      expected: `${source.size}`,
      got: `${options.data.size} samples`,
    });
  }
  return Object.fromEntries([
    ...[...sums].map(([name, sum]) => [name, sum / count]),
    ...states.map(({ metric, state }) => [metric.name, state.value()]),
  ]);
}

/** The metric of a name, with its usual settings: labels that count for nothing in the loss do not count here either. */
export function metricOf(metric: Metric | MetricName, labels?: LabelDomain): Metric {
  if (typeof metric !== "string") return metric;
  const ignoreIndex = labels?.kind === "classes" ? labels.ignored : undefined;
  return metrics[metric](ignoreIndex === undefined ? {} : { ignoreIndex });
}

function withObjective(model: Model, options: EvaluateOptions) {
  const typed = inferShapes(model);
  const scope = namesOf(typed);
  const { graph } = typed;
  const g = newBuilder(scope, "loss/");
  const { total, prediction, labels, labelDomain, terms } = buildObjective(g, graph, options, scope);
  const means = [{ name: "loss", value: total }, ...terms].map(({ name, value }) => ({
    name,
    value: g.op("Identity", [value]),
  }));
  const whole = withGraph(
    { ...typed, opsets: new Map([...typed.opsets, ["", TARGET_OPSET]]) },
    {
      ...graph,
      inputs: [...dataInputs(graph), ...(labels ? [labels] : [])],
      outputs: [...means.map(({ value }) => value), prediction],
      nodes: [...graph.nodes, ...g.raw.nodes],
      initializers: new Map([...graph.initializers, ...g.raw.initializers]),
    },
  );
  return {
    model: whole,
    labels,
    labelDomain,
    prediction: prediction.name,
    means: new Map(means.map(({ name, value }) => [name, value.name])),
  };
}

function range(size: number): number[] {
  return Array.from({ length: size }, (_, i) => i);
}

/** @file The loss and metrics of a model on data. */
import { type Model, namesOf, numbersOf, TARGET_OPSET, tensorType, type Value, withGraph } from "../ir/index.ts";
import { inferShapes } from "../ops/index.ts";
import { checkCancelled, type OpenSession, openSession, type SessionOptions } from "../runtime/index.ts";
import { type BatchSource, dataInputs, fedBatches } from "./batch-feeds.ts";
import { newBuilder } from "./forward.ts";
import { type Loss, type LossName, losses } from "./losses/index.ts";
import { type Metric, type MetricName, metrics } from "./metrics/index.ts";
import { outputOf } from "./output.ts";

export interface EvaluateOptions {
  readonly data: BatchSource["data"];
  readonly loss: Loss | LossName;
  readonly metrics?: readonly (Metric | MetricName)[];
  /** The output that the loss and the metrics read; the first when absent. */
  readonly output?: string;
  /** The input of a sample that holds its label; its class index when absent. */
  readonly labels?: string;
  /** Samples per batch; 64 unless the model has a fixed size. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
}

/** Runs the model in inference form over all samples. `loss` is the mean over the batches, each by its number of samples. */
export async function evaluateModel(model: Model, options: EvaluateOptions): Promise<Record<string, number>> {
  const { batch = 64, open = openSession, session: sessionOptions = {} } = options;
  const measured = withLoss(model, options);
  const source: BatchSource = {
    data: options.data,
    inputs: dataInputs(model.graph),
    labels: measured.labels,
    labelInput: options.labels,
    size: batch,
  };
  const states = (options.metrics ?? []).map(metricOf).map((metric) => ({ metric, state: metric.start() }));
  await using session = await open(measured.model, sessionOptions);
  const fetches = [measured.loss, measured.prediction];
  let [sum, count] = [0, 0];
  for await (const fed of fedBatches(source, range(options.data.size))) {
    checkCancelled(options.signal);
    const results = await session.run(fed.feeds, { fetches });
    sum += numbersOf(results.get(measured.loss)!)[0]! * fed.count;
    count += fed.count;
    for (const { state } of states) {
      state.add(results.get(measured.prediction)!, fed.feeds.get(measured.labels.name)!);
    }
  }
  return Object.fromEntries([
    ["loss", sum / count],
    ...states.map(({ metric, state }) => [metric.name, state.value()]),
  ]);
}

/** The metric of a name, with its usual settings. */
export function metricOf(metric: Metric | MetricName): Metric {
  return typeof metric === "string" ? metrics[metric]() : metric;
}

function withLoss(model: Model, { loss, output }: EvaluateOptions) {
  const typed = inferShapes(model);
  const scope = namesOf(typed);
  const { graph } = typed;
  const prediction = outputOf(graph, output);
  const g = newBuilder(scope, "loss/");
  const built = typeof loss === "string" ? losses[loss]() : loss;
  const type = built.labels(prediction);
  const labels: Value = { name: scope.fresh("labels"), type: tensorType(type.dtype, type.dims ?? []) };
  const value = built.build(g, prediction, labels);
  const whole = withGraph(
    { ...typed, opsets: new Map([...typed.opsets, ["", TARGET_OPSET]]) },
    {
      ...graph,
      inputs: [...dataInputs(graph), labels],
      outputs: [value, prediction],
      nodes: [...graph.nodes, ...g.raw.nodes],
      initializers: new Map([...graph.initializers, ...g.raw.initializers]),
    },
  );
  return { model: whole, labels, loss: value.name, prediction: prediction.name };
}

function range(size: number): number[] {
  return Array.from({ length: size }, (_, i) => i);
}

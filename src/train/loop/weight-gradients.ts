/** @file The gradients of a loss on data, batch by batch, without any update. */
import { must } from "../../checked.ts";
import { inlineLoader } from "../../data/index.ts";
import { UsageError } from "../../errors.ts";
import { floatsOf, type Model, type Tensor } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { checkCancelled, type OpenSession, openSession, type SessionOptions } from "../../runtime/index.ts";
import { type BatchSource, batchForm, fedBatches, fixedBatch } from "../feeds/batch-feeds.ts";
import { predictedOutput } from "../feeds/predicted-output.ts";
import { sgd } from "../optimizers/index.ts";
import { type ObjectiveOptions, takesProbabilities } from "../step/objective.ts";
import { splitStep } from "../step/split-step.ts";

export interface GradientOptions extends ObjectiveOptions {
  readonly data: BatchSource["data"];
  /** The initializers to differentiate by. */
  readonly of: readonly string[];
  /** The input of a sample that holds its label; its class index when absent. */
  readonly labels?: string;
  /** Samples per batch; 1 unless the model has a fixed size: squares are then those of single samples. */
  readonly batch?: number;
  readonly session?: SessionOptions;
  readonly open?: OpenSession;
  readonly signal?: AbortSignal;
}

export const gradientOptionsNames: OptionNames<GradientOptions> = {
  data: true,
  of: true,
  labels: true,
  batch: true,
  session: true,
  open: true,
  signal: true,
  loss: true,
  terms: true,
  output: true,
};

/** Of one initializer, over the batches, each of which counts alike. */
export interface WeightGradients {
  readonly mean: Float32Array;
  readonly meanSquare: Float32Array;
}

/**
 * The gradients of the loss by initializers of a model of lithe's opset, in its inference form: dropout does nothing, norms have their own
 * statistics. Initializers that no gradient reaches are left out.
 *
 * @throws as `trainingStep` does
 */
export async function weightGradients(
  model: Model,
  options: GradientOptions,
): Promise<ReadonlyMap<string, WeightGradients>> {
  const {
    data,
    of,
    loss,
    terms,
    signal,
    open = openSession,
    session: sessionOptions,
  } = checkOptions(options, gradientOptionsNames);
  const output = await predictedOutput(model, data, options);
  const wanted = new Set(of);
  const { gradients: step, update } = splitStep(model, {
    optimizer: sgd(),
    trainable: ({ name }) => wanted.has(name),
    batchNorm: "frozen",
    dropout: "off",
    ...(loss !== undefined && { loss }),
    ...(terms && { terms }),
    ...(output !== undefined && { output }),
  });
  const parameters = update.state.filter(({ kind }) => kind === "parameter");
  const held = new Map(parameters.map(({ name, initial }): [string, Tensor] => [name, initial]));
  const source = sourceOf(step, options);
  const sums = new Map(
    step.gradients.map(({ name, of: weight }) => [name, { weight, ...emptySums(must(held, weight)) }]),
  );
  let count = 0;
  await using session = await open(step.model, { step: "differentiating", ...sessionOptions });
  const positions = Array.from({ length: data.size }, (_, i) => i);
  for await (const { feeds } of fedBatches(source, inlineLoader(data, batchForm(source)), {
    positions,
    seed: 0,
    epoch: 0,
  })) {
    checkCancelled(signal);
    const results = await session.run(new Map([...held, ...feeds]), { fetches: [...sums.keys()] });
    for (const [name, sum] of sums) add(sum, floatsOf(must(results, name)));
    count++;
  }
  if (count === 0) throw new UsageError("there are too few samples for one batch", { got: `${data.size} samples` });
  return new Map(
    [...sums.values()].map(({ weight, total, squares }) => [
      weight,
      { mean: meanOf(total, count), meanSquare: meanOf(squares, count) },
    ]),
  );
}

interface Sums {
  readonly total: Float64Array;
  readonly squares: Float64Array;
}

function emptySums({ dims }: Tensor): Sums {
  const size = dims.reduce((a, b) => a * b, 1);
  return { total: new Float64Array(size), squares: new Float64Array(size) };
}

function add({ total, squares }: Sums, gradient: Float32Array): void {
  for (const [i, g] of gradient.entries()) {
    total[i] = (total[i] ?? 0) + g;
    squares[i] = (squares[i] ?? 0) + g * g;
  }
}

function meanOf(sum: Float64Array, count: number): Float32Array {
  return new Float32Array(sum.map((value) => value / count));
}

function sourceOf(step: ReturnType<typeof splitStep>["gradients"], options: GradientOptions): BatchSource {
  const byName = new Map(step.model.graph.inputs.map((value) => [value.name, value]));
  const inputs = step.batch.map((name) => must(byName, name));
  return {
    data: options.data,
    inputs,
    labels: step.labels === undefined ? undefined : must(byName, step.labels),
    labelInput: options.labels,
    labelDomain: step.labelDomain,
    size: options.batch ?? fixedBatch(inputs) ?? 1,
    takesProbabilities: takesProbabilities(options),
  };
}

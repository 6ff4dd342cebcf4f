/** @file The forward part of a step: the network in training form under its loss, parameters and statistics as inputs. */
import {
  type DataType,
  type Dims,
  type Graph,
  graphBuilder,
  type Names,
  TARGET_OPSET,
  tensorType,
  type Value,
} from "../ir/index.ts";
import { builderInference } from "../ops/index.ts";
import { losses } from "./losses/index.ts";
import { outputOf } from "./output.ts";
import { type Chosen, chooseParameters } from "./selection.ts";
import type { TrainingStepOptions } from "./step.ts";
import { dtypeOf, type StepBuilder, stepBuilder } from "./step-builder.ts";
import { trainingMode } from "./training-mode.ts";

export interface Forward {
  readonly graph: Graph;
  readonly loss: Value;
  readonly prediction: Value;
  readonly labels: Value;
  readonly chosen: readonly Chosen[];
  /** The next running statistics, made by `after`. */
  readonly statistics: ReadonlyMap<Value, Value>;
  /** Holds the nodes that come behind all others. */
  readonly after: StepBuilder;
  readonly maskKey?: Value;
  readonly lossScale?: Value;
  /** The cotangent of the loss, where it is not 1. */
  readonly seed?: Value;
}

export function freshInput(scope: Names, name: string, dtype: DataType, dims: Dims): Value {
  return { name: scope.fresh(name), type: tensorType(dtype, dims) };
}

export function newBuilder(scope: Names, prefix: string): StepBuilder {
  return stepBuilder(graphBuilder({ names: scope, infer: builderInference(TARGET_OPSET), prefix }));
}

/** Emits the loss over a typed graph. Parameters and statistics leave the initializers; they are inputs of the result. */
export function forwardPart(original: Graph, options: TrainingStepOptions, scope: Names): Forward {
  const after = newBuilder(scope, "update/");
  const key = lazily(() => freshInput(scope, "mask_key", "uint32", [2]));
  const mode = trainingMode(original, after, {
    names: scope,
    batchNorm: options.batchNorm ?? "train",
    ...(options.dropout !== "off" && { maskKey: key.get }),
  });
  const prediction = outputOf(mode.graph, options.output);
  const chosen = chooseParameters(mode.graph, options, new Set(mode.statistics.keys()));
  const g = newBuilder(scope, "loss/");
  const loss = typeof options.loss === "string" ? losses[options.loss]() : options.loss;
  const labelType = loss.labels(prediction);
  const labels = freshInput(scope, "labels", labelType.dtype, labelType.dims ?? []);
  const value = loss.build(g, prediction, labels);
  const lossScale = options.lossScale && freshInput(scope, "loss_scale", "float32", []);
  const seed = lossScale && g.cast(lossScale, dtypeOf(value));
  const maskKey = key.made();
  const added = [labels, maskKey, lossScale].filter((input) => input !== undefined);
  const fed = [...chosen.map((item) => item.value), ...mode.statistics.keys()];
  return {
    graph: joined(mode.graph, g, [...added, ...fed], new Set(fed)),
    loss: value,
    prediction,
    labels,
    chosen,
    statistics: mode.statistics,
    after,
    ...(maskKey && { maskKey }),
    ...(lossScale && { lossScale }),
    ...(seed && { seed }),
  };
}

function joined(graph: Graph, g: StepBuilder, inputs: readonly Value[], fed: ReadonlySet<Value>): Graph {
  const frozen = [...graph.initializers].filter(([value]) => !fed.has(value));
  return {
    ...graph,
    inputs: [...graph.inputs.filter((value) => !graph.initializers.has(value)), ...inputs],
    nodes: [...graph.nodes, ...g.raw.nodes],
    initializers: new Map([...frozen, ...g.raw.initializers]),
  };
}

function lazily<T>(make: () => T): { get: () => T; made: () => T | undefined } {
  let value: T | undefined;
  return {
    get: () => {
      value ??= make();
      return value;
    },
    made: () => value,
  };
}

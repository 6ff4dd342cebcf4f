/** @file The forward part of a step: the network in training form under its loss, parameters and statistics as inputs. */
import type { Graph, Names, Value } from "../../ir/index.ts";
import { carriedValues } from "./carry.ts";
import { freshInput, newBuilder } from "./fresh-input.ts";
import { buildObjective, type Objective } from "./objective.ts";
import { profileOf } from "./profiles.ts";
import { type Chosen, chooseParameters } from "./selection.ts";
import type { TrainingStepOptions } from "./step.ts";
import { dtypeOf, type StepBuilder } from "./step-builder.ts";
import { trainingMode } from "./training-mode.ts";

export interface Forward {
  readonly graph: Graph;
  readonly objective: Objective;
  readonly chosen: readonly Chosen[];
  /** The next running statistics and carried values, made by `after`. */
  readonly statistics: ReadonlyMap<Value, Value>;
  /** Holds the nodes that come behind all others. */
  readonly after: StepBuilder;
  readonly maskKey?: Value;
  readonly lossScale?: Value;
  /** The cotangent of the loss, where it is not 1. */
  readonly seed?: Value;
}

/** Emits the loss over a typed graph. Parameters and statistics leave the initializers; they are inputs of the result. */
export function forwardPart(original: Graph, options: TrainingStepOptions, scope: Names): Forward {
  const after = newBuilder(scope, "update/", profileOf(options.profile).scalars);
  const key = lazily(() => freshInput(scope, "mask_key", "uint32", [2]));
  const mode = trainingMode(original, after, {
    names: scope,
    batchNorm: options.batchNorm ?? "train",
    ...(options.inference && { inference: options.inference }),
    ...(options.dropout !== "off" && { maskKey: key.get }),
  });
  const statistics = new Map([...mode.statistics, ...carriedValues(mode.graph, after, options.carry)]);
  const chosen = chooseParameters(mode.graph, options, new Set(statistics.keys()));
  const g = newBuilder(scope, "loss/");
  const objective = buildObjective(g, mode.graph, options, scope);
  const lossScale = options.lossScale && freshInput(scope, "loss_scale", "float32", []);
  const seed = lossScale && g.cast(lossScale, dtypeOf(objective.total));
  const maskKey = key.made();
  const added = [objective.labels, maskKey, lossScale].filter((input) => input !== undefined);
  const fed = [...chosen.map((item) => item.value), ...statistics.keys()];
  return {
    graph: joined(mode.graph, g, [...added, ...fed], new Set(fed)),
    objective,
    chosen,
    statistics,
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

/** @file Dead experts begin again as neighbours of the busiest one. */
import { UsageError } from "../../../errors.ts";
import {
  editModel,
  floatsOf,
  type Initializer,
  isSparse,
  type Model,
  maxOf,
  tensor,
  type Value,
} from "../../../ir/index.ts";
import type { RandomSource } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import { fixedSource } from "../gates/fixed-source.ts";
import type { MixtureMeasures } from "./measure-mixture.ts";

export interface ReviveOptions {
  /** Deviation of what is added to each copied number, relative to the deviation of its tensor; 0.01 by default. */
  readonly noise?: number;
  readonly seed?: number;
}

const reviveOptionsNames: OptionNames<ReviveOptions> = { noise: true, seed: true };

/**
 * The model in which every dead expert has the parameters of the layer's busiest expert and its place in the router, both with a little
 * noise: the noise decides which of the two a token prefers. Nothing else changes. Routers are linear: `gate/weight`, and `gate/bias` where
 * there is one.
 *
 * @throws UsageError for a layer that is not in the model or whose gate has no such matrix.
 */
export function reviveExperts(model: Model, mixtures: readonly MixtureMeasures[], options: ReviveOptions = {}): Model {
  const { noise = 0.01, seed = 0 } = checkOptions(options, reviveOptionsNames);
  const source = fixedSource(seed);
  const stored = new Map([...model.graph.initializers].map(([value, data]) => [value.name, { value, data }]));
  return editModel(model, (draft) => {
    for (const { layer, load, dead } of mixtures) {
      if (!load || dead.length === 0) continue;
      const busiest = load.indexOf(maxOf(load));
      for (const [value, data] of revived(stored, { layer, busiest, dead, experts: load.length, noise, source })) {
        draft.setInitializer(value, data);
      }
    }
  });
}

type Stored = ReadonlyMap<string, { readonly value: Value; readonly data: Initializer }>;

interface Revival {
  readonly layer: string;
  readonly busiest: number;
  readonly dead: readonly number[];
  readonly experts: number;
  readonly noise: number;
  readonly source: RandomSource;
}

function revived(stored: Stored, revival: Revival): Map<Value, Initializer> {
  const { layer, busiest, dead } = revival;
  const changed = new Map<Value, Initializer>();
  const from = `${layer}expert${busiest}/`;
  for (const [name, { data }] of stored) {
    if (!name.startsWith(from) || isSparse(data) || data.dtype !== "float32") continue;
    for (const expert of dead) {
      const target = stored.get(`${layer}expert${expert}/${name.slice(from.length)}`);
      if (target) changed.set(target.value, tensor("float32", data.dims, noisy(floatsOf(data), revival)));
    }
  }
  const router = ["weight", "bias"].flatMap((name) => stored.get(`${layer}gate/${name}`) ?? []);
  if (router.length === 0 || changed.size === 0) {
    throw new UsageError("the layer has no experts and linear router to revive", { where: JSON.stringify(layer) });
  }
  for (const { value, data } of router) changed.set(value, withColumns(data, revival));
  return changed;
}

/** The columns of the dead experts become those of the busiest one. */
function withColumns(data: Initializer, { layer, busiest, dead, experts, noise, source }: Revival): Initializer {
  if (isSparse(data) || data.dims.at(-1) !== experts) {
    throw new UsageError("the router has no column per expert", { where: JSON.stringify(layer) });
  }
  const values = floatsOf(data).slice();
  const scale = noise * deviationOf(values);
  for (let row = 0; row < values.length; row += experts) {
    for (const expert of dead) values[row + expert] = values[row + busiest]! + scale * source.normal();
  }
  return tensor("float32", data.dims, values);
}

function noisy(values: Float32Array, { noise, source }: Revival): Float32Array {
  const scale = noise * deviationOf(values);
  return values.map((value) => value + scale * source.normal());
}

function deviationOf(values: Float32Array): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

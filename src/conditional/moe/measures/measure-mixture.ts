/** @file What the mixtures of a model do with real inputs: load, importance, entropy, what is dropped, who is dead. */
import { must, nth } from "../../../checked.ts";
import { DataError, UsageError } from "../../../errors.ts";
import { type Model, numbersOf, type Tensor } from "../../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import {
  checkCancelled,
  type Feeds,
  type OpenSession,
  type SessionOptions,
  sessionOptionNames,
} from "../../../runtime/index.ts";
import { keepOutputs } from "../../lowering/keep-outputs.ts";
import { moeMeasures } from "../side-outputs.ts";
import { type Balance, balanceOf, type Routes } from "./balance.ts";

export interface MixtureOptions extends SessionOptions {
  /** An expert with less than this share of the mean load is dead; 0.01 by default. */
  readonly deadBelow?: number;
  readonly signal?: AbortSignal;
}

/** Means over all tokens. */
export interface MixtureMeasures {
  /** The path of the layer, as its parameters' names begin. */
  readonly layer: string;
  /** Share of the tokens that each expert was chosen by; sums to k. Absent where experts choose. */
  readonly load?: readonly number[];
  readonly loadBalance?: Balance;
  /** What the gate would give each expert. */
  readonly importance?: readonly number[];
  readonly importanceBalance?: Balance;
  /** Of the gate's shares per token, in nats. */
  readonly entropy?: number;
  /** Share of (token, expert) pairs that capacity left out. */
  readonly dropped?: number;
  /** Experts that hardly any token chose. */
  readonly dead: readonly number[];
  /** Who went where, for `routingChurn`. */
  readonly routes?: Routes;
}

const mixtureOptionsNames: OptionNames<MixtureOptions> = {
  deadBelow: true,
  signal: true,
  ...sessionOptionNames,
};

/**
 * Runs what the side outputs of a model depend on over all inputs. Batches weigh by their tokens where tokens choose, else alike.
 *
 * @throws UsageError for a model without measures, DataError without inputs.
 */
export async function measureMixture(
  model: Model,
  inputs: AsyncIterable<Feeds> | Iterable<Feeds>,
  open: OpenSession,
  options: MixtureOptions = {},
): Promise<MixtureMeasures[]> {
  const { deadBelow = 0.01, signal, ...session } = checkOptions(options, mixtureOptionsNames);
  const fetches = moeMeasures(model);
  if (fetches.length === 0) {
    throw new UsageError("the model has no mixture that tells its measures", {
      hint: "Measure before withoutSideOutputs removes them.",
    });
  }
  const measures = model.graph.outputs.filter(({ name }) => fetches.includes(name));
  await using opened = await open(await keepOutputs(model, measures), { step: "measuring experts", ...session });
  const layers = new Map<string, Layer>();
  for await (const feeds of inputs) {
    checkCancelled(signal);
    const results = await opened.run(feeds, { fetches });
    for (const [layer, measures] of byLayer(results)) {
      const sums = layers.get(layer) ?? emptyLayer();
      layers.set(layer, sums);
      add(sums, measures);
    }
  }
  if (layers.size === 0) throw new DataError("there is no input to measure the mixtures on");
  return [...layers].map(([layer, sums]) => measuresOf(layer, sums, deadBelow));
}

interface Layer {
  weight: number;
  readonly sums: Map<string, Float64Array>;
  readonly routes: number[];
  k: number;
}

function emptyLayer(): Layer {
  return { weight: 0, sums: new Map(), routes: [], k: 0 };
}

function byLayer(results: ReadonlyMap<string, Tensor>): Map<string, Map<string, Tensor>> {
  const layers = new Map<string, Map<string, Tensor>>();
  for (const [name, value] of results) {
    const at = name.lastIndexOf("measure/");
    const layer = name.slice(0, at);
    const measures = layers.get(layer) ?? new Map<string, Tensor>();
    layers.set(layer, measures.set(name.slice(at + "measure/".length), value));
  }
  return layers;
}

function add(layer: Layer, measures: ReadonlyMap<string, Tensor>): void {
  const route = measures.get("route");
  const weight = route?.dims[0] ?? 1;
  layer.weight += weight;
  if (route) {
    layer.k = nth(route.dims, 1);
    for (const expert of numbersOf(route)) layer.routes.push(expert);
  }
  for (const [name, value] of measures) {
    if (name === "route") continue;
    const numbers = numbersOf(value);
    const sum = layer.sums.get(name) ?? new Float64Array(numbers.length);
    for (const [i, x] of numbers.entries()) sum[i] = sum[i]! + weight * x;
    layer.sums.set(name, sum);
  }
}

function measuresOf(layer: string, { sums, weight, routes, k }: Layer, deadBelow: number): MixtureMeasures {
  const meanOf = (name: string) => sums.get(name) && Array.from(must(sums, name), (sum) => sum / weight);
  const [load, importance] = [meanOf("load"), meanOf("importance")];
  const [entropy, dropped] = [meanOf("entropy")?.[0], meanOf("dropped")?.[0]];
  const limit = load ? (deadBelow * load.reduce((a, b) => a + b, 0)) / load.length : 0;
  return {
    layer,
    ...(load && { load, loadBalance: balanceOf(load) }),
    ...(importance && { importance, importanceBalance: balanceOf(importance) }),
    ...(entropy !== undefined && { entropy }),
    ...(dropped !== undefined && { dropped }),
    dead: (load ?? []).flatMap((share, expert) => (share < limit ? [expert] : [])),
    ...(k > 0 && { routes: { k, experts: Int32Array.from(routes) } }),
  };
}

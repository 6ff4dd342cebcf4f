/** @file Adapters as tensors by name: how they are kept apart from the model that they belong to. */
import { nth } from "../../checked.ts";
import { FormatError, ShapeError, UsageError } from "../../errors.ts";
import { constantOf, type Graph, isSparse, type Model, numbersOf, type Tensor, type Value } from "../../ir/index.ts";
import { type LoraSite, loraSites } from "./lora-sites.ts";

/** Behind the name of the weight. */
export const loraSuffixes = { down: ".lora_A", up: ".lora_B", scale: ".lora_scale" } as const;

/** The factors of one weight's adapter and α/r. */
export interface LoraFactors {
  readonly down: Tensor;
  readonly up: Tensor;
  readonly scale: Tensor;
}

export interface FittedAdapter {
  readonly site: LoraSite;
  readonly factors: LoraFactors;
  readonly rank: number;
}

/** Tensors as a file of adapters holds them, brought together with the model that they belong to. */
export interface FittedAdapters {
  readonly adapters: readonly FittedAdapter[];
  /** What takes the place of an initializer as it is: a trained head, a bias. */
  readonly others: readonly { readonly value: Value; readonly tensor: Tensor }[];
}

/**
 * The adapters of a model by name, `WEIGHT.lora_A`, `WEIGHT.lora_B` and `WEIGHT.lora_scale`, and the initializers that `also`
 * names, such as those of a new head. What `encodeSafetensors` writes to a file.
 */
export function loraTensors({ graph }: Model, also: readonly string[] = []): Map<string, Tensor> {
  const isPart = (name: string) => Object.values(loraSuffixes).some((suffix) => name.endsWith(suffix));
  const tensors = new Map<string, Tensor>();
  for (const [{ name }, data] of graph.initializers) {
    if (!isSparse(data) && (isPart(name) || also.includes(name))) tensors.set(name, data);
  }
  const missing = also.find((name) => !tensors.has(name));
  if (missing !== undefined)
    throw new UsageError("the model has no such initializer", { got: JSON.stringify(missing) });
  return tensors;
}

/** @throws FormatError for incomplete adapters and unknown names, ShapeError for factors and tensors that do not fit. */
export function fittedAdapters(graph: Graph, tensors: ReadonlyMap<string, Tensor>): FittedAdapters {
  const sites = new Map(loraSites(graph).map((site) => [site.weight.name, site]));
  const values = new Map([...graph.initializers.keys()].map((value) => [value.name, value]));
  const adapters: FittedAdapter[] = [];
  const others: FittedAdapters["others"][number][] = [];
  for (const [name, tensor] of tensors) {
    if (name.endsWith(loraSuffixes.up) || name.endsWith(loraSuffixes.scale)) continue;
    if (name.endsWith(loraSuffixes.down)) {
      const weight = name.slice(0, -loraSuffixes.down.length);
      adapters.push(adapterOf(sites.get(weight), weight, tensors));
      continue;
    }
    const value = values.get(name);
    if (!value)
      throw new FormatError("the model lacks what a tensor is for", { where: `tensor ${JSON.stringify(name)}` });
    const own = constantOf(graph, value);
    if (own?.dtype !== tensor.dtype || `${own.dims}` !== `${tensor.dims}`) throw misfit(name, own?.dims, tensor.dims);
    others.push({ value, tensor });
  }
  return { adapters, others };
}

function adapterOf(site: LoraSite | undefined, weight: string, tensors: ReadonlyMap<string, Tensor>): FittedAdapter {
  const [down, up, scale] = Object.values(loraSuffixes).map((suffix) => tensors.get(weight + suffix));
  const where = `weight ${JSON.stringify(weight)}`;
  if (!down || !up || !scale) throw new FormatError("an adapter is not whole", { where });
  if (!site) throw new FormatError("the model has no weight that could carry the adapter", { where });
  const rank = site.layer.rankOf(down.dims);
  const shape = site.layer.shape(nth(site.nodes, 0), site.tensor.dims, rank)!;
  if (`${shape.down}` !== `${down.dims}`) throw misfit(weight, shape.down, down.dims);
  if (`${shape.up}` !== `${up.dims}`) throw misfit(weight, shape.up, up.dims);
  if (numbersOf(scale).length !== 1) throw misfit(weight + loraSuffixes.scale, [], scale.dims);
  return { site, factors: { down, up, scale }, rank };
}

function misfit(name: string, expected: readonly number[] | undefined, got: readonly number[]): ShapeError {
  return new ShapeError("a tensor does not fit the model", {
    expected: `[${expected ?? ""}]`,
    got: `[${got}]`,
    where: `tensor ${JSON.stringify(name)}`,
  });
}

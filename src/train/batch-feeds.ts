/** @file From a dataset to the feeds of a step: order, batches, labels. */
import { type Batch, batches, type Dataset, type InputPort, permutation, random, subset } from "../data/index.ts";
import { DataError } from "../errors.ts";
import { type Dim, type Graph, sizeOf, type Tensor, tensorFromNumbers, type Value } from "../ir/index.ts";
import { tensorTypeOf } from "./step-builder.ts";

/** Streams of random numbers: one per epoch. */
const ORDER = 0x0d;

export interface BatchSource {
  readonly data: Dataset;
  /** The inputs of the network that the data fills. */
  readonly inputs: readonly Value[];
  /** The input of the step that takes labels; absent when nothing reads any. */
  readonly labels?: Value | undefined;
  /** The input of a sample that holds its label; its class index when absent. */
  readonly labelInput?: string | undefined;
  readonly size: number;
}

/** The order of an epoch's samples: a permutation that depends on the seed and the epoch alone. */
export function epochOrder(size: number, seed: number, epoch: number): number[] {
  return permutation(size, random(seed, ORDER, epoch));
}

/** Whether the network takes batches of one size only, so that a last smaller one has to be left out. */
export function hasFixedBatch(inputs: readonly Value[]): boolean {
  return inputs.some((value) => typeof tensorTypeOf(value).dims?.[0] === "number");
}

export function batchCount({ data, inputs, size }: BatchSource): number {
  return hasFixedBatch(inputs) ? Math.floor(data.size / size) : Math.ceil(data.size / size);
}

export interface FedBatch {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly count: number;
}

/** The batches of samples at `positions`, in that order. */
export async function* fedBatches(source: BatchSource, positions: readonly number[]): AsyncGenerator<FedBatch> {
  const { data, inputs, labels, labelInput, size } = source;
  const ports = inputs.map(portOf);
  const all = labels && labelInput !== undefined ? [...ports, { ...portOf(labels), name: labelInput }] : ports;
  const isFixed = hasFixedBatch(inputs);
  for await (const batch of batches(subset(data, positions), { batch: size, port: all })) {
    if (isFixed && batch.count < size) continue;
    const feeds = new Map(inputs.map(({ name }) => [name, batch.feeds.get(name)!]));
    if (labels) feeds.set(labels.name, labelsOf(batch, labels, labelInput));
    yield { feeds, count: batch.count };
  }
}

function portOf(value: Value): InputPort {
  const { dtype, dims } = tensorTypeOf(value);
  return { name: value.name, dtype, ...(dims && { dims }) };
}

function labelsOf(batch: Batch, labels: Value, labelInput: string | undefined): Tensor {
  if (labelInput !== undefined) return batch.feeds.get(labelInput)!;
  const { dtype, dims = [] } = tensorTypeOf(labels);
  if (!batch.labels) {
    throw new DataError("the samples have no labels", {
      where: batch.sources[0] ?? "the data",
      hint: "Name the input of the samples that holds them with { labels }.",
    });
  }
  const wanted = [batch.count, ...dims.slice(1).map((dim: Dim) => Number(dim))];
  if (sizeOf(wanted) !== batch.count) {
    throw new DataError("the loss wants more than one number per sample", {
      expected: `labels of [${dims.join(", ")}]`,
      got: "one class index per sample",
      hint: "Name the input of the samples that holds them with { labels }.",
    });
  }
  return tensorFromNumbers(dtype, wanted, batch.labels);
}

/** The inputs of a graph that are no initializers. */
export function dataInputs({ inputs, initializers }: Graph): Value[] {
  return inputs.filter((value) => !initializers.has(value));
}

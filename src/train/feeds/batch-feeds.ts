/** @file From a dataset to the feeds of a step: order, batches, labels. */
import { must } from "../../checked.ts";
import {
  type Batch,
  type BatchForm,
  type BatchLoader,
  type BatchRequest,
  type Dataset,
  type InputPort,
  permutation,
  random,
} from "../../data/index.ts";
import { DataError } from "../../errors.ts";
import {
  checkLabels,
  type DataType,
  type Dim,
  type Graph,
  type LabelDomain,
  numbersOf,
  sizeOf,
  type Tensor,
  tensorFromNumbers,
  type Value,
} from "../../ir/index.ts";
import { tensorTypeOf } from "../step/step-builder.ts";
import { type BatchPart, positionsOf, shareOf } from "./batch-part.ts";

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
  /** Samples of a batch, over all of its parts. */
  readonly size: number;
  /** What is taken of each batch; all of it when absent. */
  readonly part?: BatchPart | undefined;
  /** Which labels the loss takes; absent when nothing reads any. */
  readonly labelDomain?: LabelDomain | undefined;
  /** Whether the loss wants the probability of each class. */
  readonly takesProbabilities?: boolean | undefined;
}

/** The order of an epoch's samples: a permutation that depends on the seed and the epoch alone. */
export function epochOrder(size: number, seed: number, epoch: number): number[] {
  return permutation(size, random(seed, ORDER, epoch));
}

/** Whether the network takes batches of one size only, so that a last smaller one has to be left out. */
export function hasFixedBatch(inputs: readonly Value[]): boolean {
  return fixedBatch(inputs) !== undefined;
}

/** The size of the batches that the network takes, where it takes one size only. */
export function fixedBatch(inputs: readonly Value[]): number | undefined {
  const dims = inputs.map((value) => tensorTypeOf(value).dims?.[0]);
  return dims.find((dim) => typeof dim === "number");
}

export function batchCount({ data, inputs, size }: BatchSource): number {
  return hasFixedBatch(inputs) ? Math.floor(data.size / size) : Math.ceil(data.size / size);
}

export interface FedBatch {
  readonly feeds: ReadonlyMap<string, Tensor>;
  readonly count: number;
  /** Samples of the batch over all of its parts. */
  readonly samples: number;
  /** What the mean over these samples is multiplied with, so that the mean over all parts is that of the batch. */
  readonly share: number;
}

/** The inputs that batches have to fill. */
export function batchForm({ inputs, labels, labelInput }: BatchSource): BatchForm {
  const ports = inputs.map(portOf);
  return { port: labels && labelInput !== undefined ? [...ports, { ...portOf(labels), name: labelInput }] : ports };
}

export interface EpochPart {
  /** Of the samples, in order. */
  readonly positions: readonly number[];
  readonly seed: number;
  readonly epoch: number;
}

/** The batches of samples at `positions`, in that order. */
export async function* fedBatches(source: BatchSource, loader: BatchLoader, part: EpochPart): AsyncGenerator<FedBatch> {
  const { inputs, labels } = source;
  let left = lengthOf(source, part);
  for await (const batch of loader.load(requestsOf(source, part))) {
    const samples = Math.min(source.size, left);
    left -= samples;
    const feeds = new Map(inputs.map(({ name }) => [name, must(batch.feeds, name)]));
    if (labels) feeds.set(labels.name, labelsOf(batch, labels, source));
    yield { feeds, count: batch.count, samples, share: source.part ? shareOf(samples, source.part) : 1 };
  }
}

function* requestsOf(source: BatchSource, { positions, seed, epoch }: EpochPart): Generator<BatchRequest> {
  const { size, part } = source;
  const end = lengthOf(source, { positions });
  for (let start = 0; start < end; start += size) {
    const whole = positions.slice(start, Math.min(start + size, end));
    yield { positions: part ? positionsOf(whole, part) : whole, seed, epoch };
  }
}

/** How many of the samples come in batches. */
function lengthOf({ inputs, size }: BatchSource, { positions }: Pick<EpochPart, "positions">): number {
  return hasFixedBatch(inputs) ? positions.length - (positions.length % size) : positions.length;
}

function portOf(value: Value): InputPort {
  const { dtype, dims } = tensorTypeOf(value);
  return { name: value.name, dtype, ...(dims && { dims }) };
}

function labelsOf(batch: Batch, labels: Value, { labelInput, labelDomain, takesProbabilities }: BatchSource): Tensor {
  if (labelInput !== undefined)
    return inputLabels(batch, must(batch.feeds, labelInput), labelDomain, takesProbabilities);
  const { dtype, dims = [] } = tensorTypeOf(labels);
  const classes = dims[1];
  if (batch.labels && labelDomain) checkLabels(batch.labels, labelDomain, (i) => batch.sources[i]);
  if (takesProbabilities && typeof classes === "number") return probabilities(batch, dtype, classes);
  if (!batch.labels) throw noLabels(batch);
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

/** Labels that are an input of the samples, as many as there are positions. */
function inputLabels(
  { sources, count }: Batch,
  labels: Tensor,
  domain: LabelDomain | undefined,
  takesProbabilities: boolean | undefined,
): Tensor {
  const numbers = numbersOf(labels);
  const each = numbers.length / count;
  const sample = (i: number) => `${sources[Math.floor(i / each)]}${each > 1 ? `, position ${i % each}` : ""}`;
  if (domain) checkLabels(numbers, takesProbabilities ? { kind: "shares" } : domain, sample);
  return labels;
}

/** The probability of each class: mixed labels as they are, a class index as certainty. */
function probabilities(batch: Batch, dtype: DataType, classes: number): Tensor {
  const { targets, labels, count } = batch;
  if (targets) {
    const [, length] = targets.dims;
    if (length === classes) return tensorFromNumbers(dtype, targets.dims, numbersOf(targets));
    throw new DataError("the mixed labels do not fit the model", { expected: `${classes} classes`, got: `${length}` });
  }
  if (!labels) throw noLabels(batch);
  const values = new Float64Array(count * classes);
  for (const [i, label] of labels.entries()) values[i * classes + label] = 1;
  return tensorFromNumbers(dtype, [count, classes], values);
}

function noLabels({ sources, targets }: Batch): DataError {
  return targets
    ? new DataError("mixed labels are no class indices", {
        hint: "Train with a loss that takes probabilities: softCrossEntropy.",
      })
    : new DataError("the samples have no labels", {
        where: sources[0] ?? "the data",
        hint: "Name the input of the samples that holds them with { labels }.",
      });
}

/** The inputs of a graph that are no initializers. */
export function dataInputs({ inputs, initializers }: Graph): Value[] {
  return inputs.filter((value) => !initializers.has(value));
}

/** @file What stages of a network cost a device: milliseconds and bytes. */
import { sizeOf, type Tensor } from "../../ir/index.ts";
import { type NodeRow, type StageRange, sampleBytes } from "../pipeline/cut-model.ts";
import type { BackwardPart, StageCost } from "../simulator/index.ts";
import type { Rates } from "./cluster.ts";

/** Copies of the parameters that an optimizer keeps. */
export const optimizerCopies = { sgd: 0, momentum: 1, adamw: 2 } as const satisfies Readonly<Record<string, number>>;

export type PlannedOptimizer = keyof typeof optimizerCopies;

export interface StageCostOptions {
  readonly rates: Rates;
  readonly optimizer: PlannedOptimizer;
  /** Samples of a micro-batch. */
  readonly samples: number;
  /** Whether a stage is computed again in its backward pass, as lithe's pipelines do. */
  readonly recomputes: boolean;
}

/** Parts of a backward pass, so that gradients can travel before it has ended. */
const PARTS = 8;

/** Operations of an update for each parameter and copy. */
const UPDATE_WORK = 6;

/** Milliseconds of one node's forward pass. */
export function nodeTime({ costs }: NodeRow, index: number, { rates, samples }: StageCostOptions): number {
  const { macs = 0, elementwise = 0 } = costs[index] ?? {};
  const work = macs / rates.gigaMacsPerSecond + elementwise / rates.gigaElementsPerSecond;
  return (samples * work) / 1e6 + rates.microsecondsPerNode / 1e3;
}

/**
 * A stage of nodes. The backward pass counts as twice the forward pass. Kept from the forward pass of a micro-batch is all that nodes make, or, where the
 * stage is computed again, what it took over; then what nodes make is there once, during the backward pass.
 */
export function stageCost(row: NodeRow, range: StageRange, options: StageCostOptions): StageCost {
  const nodes = Array.from({ length: range.end - range.first }, (_, i) => range.first + i);
  const times = nodes.map((index) => nodeTime(row, index, options));
  const owned = new Set<Tensor>();
  const weights = nodes.map((index) => newWeights(row, index, owned));
  const forward = sum(times);
  const parameters = sum(weights);
  const copies = optimizerCopies[options.optimizer];
  const made = options.samples * sum(nodes.map((index) => madeBytes(row, index)));
  const taken = options.samples * (row.crossingBytes[range.first] ?? 0);
  const update = (UPDATE_WORK * (1 + copies) * parameters) / 4 / (options.rates.gigaElementsPerSecond * 1e6);
  const factor = options.recomputes ? 3 : 2;
  return {
    forward,
    backward: backwardParts(times, weights, factor),
    update,
    boundary: range.end < row.nodes.length ? options.samples * (row.crossingBytes[range.end] ?? 0) : 0,
    activations: options.recomputes ? taken : made,
    held: (2 + copies) * parameters + (options.recomputes ? made : 0),
  };
}

/** The parts in the order in which they run, the last nodes first, of about the same time. */
function backwardParts(times: readonly number[], weights: readonly number[], factor: number): BackwardPart[] {
  const each = sum(times) / PARTS;
  const parts: BackwardPart[] = [];
  let [time, bytes] = [0, 0];
  for (let i = times.length - 1; i >= 0; i--) {
    time += times[i] ?? 0;
    bytes += weights[i] ?? 0;
    if (time < each && i > 0) continue;
    parts.push({ time: factor * time, bytes });
    [time, bytes] = [0, 0];
  }
  return parts;
}

/** Bytes, as float32, of the weights that no node before it in the stage reads. */
function newWeights({ model, nodes }: NodeRow, index: number, owned: Set<Tensor>): number {
  let bytes = 0;
  for (const value of nodes[index]?.inputs ?? []) {
    const data = value && model.graph.initializers.get(value);
    if (!data || "indices" in data || data.dims.length === 0 || owned.has(data)) continue;
    owned.add(data);
    bytes += 4 * sizeOf(data.dims);
  }
  return bytes;
}

function madeBytes({ nodes }: NodeRow, index: number): number {
  return sum((nodes[index]?.outputs ?? []).map((value) => (value ? sampleBytes(value) : 0)));
}

function sum(values: readonly number[]): number {
  return values.reduce((total, each) => total + each, 0);
}

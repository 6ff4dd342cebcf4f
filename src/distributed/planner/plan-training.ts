/** @file How to train a network on a cluster: what plans would take, and what limits each. */
import { nth } from "../../checked.ts";
import { LimitError, UsageError } from "../../errors.ts";
import { type Model, maxOf } from "../../ir/index.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { type AllReduceAlgorithmName, allReduceAlgorithms } from "../collectives/all-reduce/index.ts";
import { balancedStages, type NodeRow, rowOf, type StageRange } from "../pipeline/cut-model.ts";
import { allReduceTime, type SimulatedStep, type StageCost, simulateStep, type Topology } from "../simulator/index.ts";
import { type Candidate, candidatesOf, devicesOf, type Placement, usedBy } from "./candidates.ts";
import type { Cluster, Rates } from "./cluster.ts";
import { nodeTime, optimizerCopies, type PlannedOptimizer, type StageCostOptions, stageCost } from "./stage-costs.ts";

export interface PlanOptions {
  readonly cluster: Cluster;
  /** Of a device of speed 1; those of the cluster when absent. */
  readonly rates?: Rates;
  /** Samples of an update; default 32 for each device. */
  readonly batch?: number;
  /** Default `adamw`. */
  readonly optimizer?: PlannedOptimizer;
  /** Ratios of compressed exchanges that may be chosen. None by default, as they change what is learnt. */
  readonly compressions?: readonly number[];
}

export const planOptionsNames: OptionNames<PlanOptions> = {
  cluster: true,
  rates: true,
  batch: true,
  optimizer: true,
  compressions: true,
};

/** What takes time in a step, in milliseconds; together they are the step. */
export interface StepParts {
  /** The device that computes most. */
  readonly computing: number;
  /** Beside that, were messages free: the bubble of a pipeline, and waiting for slower devices. */
  readonly waiting: number;
  /** What messages add. */
  readonly messages: number;
}

export interface PlanRow {
  readonly stages: number;
  readonly replicas: number;
  readonly devices: number;
  readonly microBatches: number;
  /** Samples. */
  readonly microBatch: number;
  readonly placement: Placement;
  readonly allReduce: AllReduceAlgorithmName;
  readonly compression: number;
  /** Milliseconds of an update. */
  readonly step: number;
  readonly samplesPerSecond: number;
  /** Of the device that needs most. */
  readonly memoryBytes: number;
  /** In an update, of the rank that sends most. */
  readonly sentBytes: number;
  readonly parts: StepParts;
  /** The greatest of the parts. */
  readonly limit: keyof StepParts;
}

export interface PlannedStage {
  readonly first: string;
  readonly last: string;
  readonly nodes: number;
  /** Milliseconds forward for a micro-batch. */
  readonly forward: number;
  readonly parameterBytes: number;
}

export interface TrainingPlan {
  /** The fastest first. */
  readonly plans: readonly PlanRow[];
  /** Of the first plan. */
  readonly stages: readonly PlannedStage[];
  /** The devices of the first plan: the one at r·S + s has stage s of replica r. */
  readonly devices: readonly number[];
  /** Plans that do not fit in memory, and those that could not be faster than the slowest one told. */
  readonly tooLarge: number;
  readonly tooSlow: number;
}

/** Plans that are told. */
const TOLD = 6;

/**
 * Searches meshes of replicas and stages, micro-batches, placements and all-reduces by simulation. Plans whose computing alone takes longer than the
 * sixth best so far are not simulated.
 *
 * @throws UsageError without rates; LimitError, saying how little memory would do, where no plan fits
 */
export function planTraining(model: Model, options: PlanOptions): TrainingPlan {
  const { cluster, optimizer = "adamw", compressions = [] } = checkOptions(options, planOptionsNames);
  const rates = options.rates ?? cluster.rates;
  const { batch = 32 * cluster.memory.length } = options;
  checkCount("batch", batch);
  if (!rates)
    throw new UsageError("it is not known how fast the devices are", {
      expected: "rates of the cluster, or measured ones",
    });
  if (!Object.hasOwn(optimizerCopies, optimizer)) {
    throw new UsageError("there is no such optimizer to plan for", {
      expected: Object.keys(optimizerCopies).join(", "),
      got: optimizer,
    });
  }
  const row = rowOf(model);
  const mostStages = Math.max(1, row.hasWeights.filter(Boolean).length);
  const context = { row, cluster, rates, optimizer, batch, cuts: new Map<number, StageRange[]>() };
  const candidates = candidatesOf({ cluster, batch, mostStages, compressions }).map((each) => prepared(context, each));
  const fitting = candidates.filter(({ missing }) => missing <= 0);
  if (fitting.length === 0) throw nothingFits(candidates);
  const plans: PlanRow[] = [];
  let tooSlow = 0;
  for (const each of fitting.sort((a, b) => a.least - b.least)) {
    if (plans.length >= TOLD && each.least > nth(plans, TOLD - 1).step) tooSlow++;
    else plans.push(simulated(context, each));
    plans.sort((a, b) => a.step - b.step);
  }
  const told = plans.slice(0, TOLD);
  const best = nth(told, 0);
  const costs = costsOf(context, best);
  return {
    plans: told,
    stages: rangesOf(context, best.stages).map((range, i) => stageFacts(row, range, nth(costs, i))),
    devices: devicesOf(best),
    tooLarge: candidates.length - fitting.length,
    tooSlow: tooSlow + plans.length - told.length,
  };
}

interface Context {
  readonly row: NodeRow;
  readonly cluster: Cluster;
  readonly rates: Rates;
  readonly optimizer: PlannedOptimizer;
  readonly batch: number;
  /** Stages by their number. */
  readonly cuts: Map<number, StageRange[]>;
}

interface Prepared {
  readonly candidate: Candidate;
  /** Milliseconds that no order of its tasks can be faster than. */
  readonly least: number;
  readonly memory: number;
  /** Bytes that the device that lacks most is short of; 0 or less where all have enough. */
  readonly missing: number;
}

function costOptions(
  { rates, optimizer, batch }: Context,
  { stages, replicas, microBatches }: Shape,
): StageCostOptions {
  return { rates, optimizer, samples: batch / replicas / microBatches, recomputes: stages > 1 };
}

type Shape = Pick<Candidate, "stages" | "replicas" | "microBatches">;

/** Balanced for micro-batches of one sample, with messages between hosts. */
function rangesOf(context: Context, stages: number): StageRange[] {
  const { row, cluster, cuts } = context;
  const known = cuts.get(stages);
  if (known) return known;
  const options = costOptions(context, { stages, replicas: context.batch, microBatches: 1 });
  const times = row.nodes.map((_, index) => nodeTime(row, index, options));
  const ranges = balancedStages(row, stages, times, 1 / cluster.topology.between.bandwidth);
  cuts.set(stages, ranges);
  return ranges;
}

function costsOf(context: Context, shape: Shape): StageCost[] {
  return rangesOf(context, shape.stages).map((range) => stageCost(context.row, range, costOptions(context, shape)));
}

function prepared(context: Context, candidate: Candidate): Prepared {
  const { stages, microBatches } = candidate;
  const costs = costsOf(context, candidate);
  const { memory, speeds } = usedBy(candidate, context.cluster);
  const needs = costs.map(
    ({ held, activations }, stage) => held + Math.min(stages - stage, microBatches) * activations,
  );
  const work = costs.map(({ forward, backward, update }) =>
    backward.reduce((sum, { time }) => sum + microBatches * time, microBatches * forward + update),
  );
  return {
    candidate,
    memory: maxOf(needs),
    missing: maxOf(memory.map((has, place) => nth(needs, place % stages) - has)),
    least: maxOf(speeds.map((speed, place) => nth(work, place % stages) / speed)),
  };
}

function nothingFits(candidates: readonly Prepared[]): LimitError {
  const least = candidates.reduce((a, b) => (b.memory < a.memory ? b : a));
  const { stages, replicas, microBatches } = least.candidate;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`;
  return new LimitError("no plan fits in the memory of the devices", {
    expected: `${gigabytes(least.memory)} on a device, with ${stages} stages, ${replicas} replicas and ${microBatches} micro-batches`,
    got: `${gigabytes(least.missing)} less`,
    hint: "Take a smaller batch, an optimizer that keeps less, more devices or a smaller network.",
  });
}

function simulated(context: Context, { candidate, memory }: Prepared): PlanRow {
  const { stages, replicas, microBatches, placement, compression } = candidate;
  const { topology, speeds } = usedBy(candidate, context.cluster);
  const costs = costsOf(context, candidate);
  const allReduce = fastestAllReduce(topology, candidate, costs);
  const free = { latency: 0, bandwidth: Number.POSITIVE_INFINITY };
  const run = (network: Topology): SimulatedStep =>
    simulateStep(network, {
      stages: costs,
      replicas,
      microBatches,
      allReduce,
      speeds,
      ...(compression > 1 && { compression: { ratio: compression, time: compressionTime(context.rates, costs) } }),
    });
  const real = run(topology);
  const computing = maxOf(real.devices.map(({ busy }) => busy));
  const alone = run({ ...topology, inside: free, between: free }).time;
  const parts = { computing, waiting: alone - computing, messages: Math.max(0, real.time - alone) };
  return {
    stages,
    replicas,
    devices: stages * replicas,
    microBatches,
    microBatch: context.batch / replicas / microBatches,
    placement,
    allReduce,
    compression,
    step: real.time,
    samplesPerSecond: (1000 * context.batch) / real.time,
    memoryBytes: memory,
    sentBytes: maxOf(real.devices.map(({ sentBytes }) => sentBytes)),
    parts,
    limit: greatest(parts),
  };
}

/** Ten operations for each gradient, of the stage that has most. */
function compressionTime({ gigaElementsPerSecond }: Rates, costs: readonly StageCost[]): number {
  return (10 * maxOf(costs.map(gradientBytes))) / 4 / (gigaElementsPerSecond * 1e6);
}

function gradientBytes({ backward }: StageCost): number {
  return backward.reduce((sum, { bytes }) => sum + bytes, 0);
}

function greatest({ computing, waiting, messages }: StepParts): keyof StepParts {
  if (computing >= waiting && computing >= messages) return "computing";
  return waiting >= messages ? "waiting" : "messages";
}

/** For the gradients of the first stage, part by part. */
function fastestAllReduce(topology: Topology, { stages, replicas }: Candidate, costs: readonly StageCost[]) {
  const devices = Array.from({ length: replicas }, (_, replica) => replica * stages);
  const bytes = gradientBytes(nth(costs, 0)) / nth(costs, 0).backward.length;
  const names = Object.keys(allReduceAlgorithms) as AllReduceAlgorithmName[];
  const time = (name: AllReduceAlgorithmName) => allReduceTime(topology, devices, bytes, name);
  return names.reduce((best, name) => (time(name) < time(best) ? name : best));
}

function stageFacts({ nodes }: NodeRow, { first, end }: StageRange, cost: StageCost): PlannedStage {
  const nameAt = (index: number): string => nth(nodes, index).name || (nth(nodes, index).outputs[0]?.name ?? "");
  const { forward } = cost;
  return {
    first: nameAt(first),
    last: nameAt(end - 1),
    nodes: end - first,
    forward,
    parameterBytes: gradientBytes(cost),
  };
}

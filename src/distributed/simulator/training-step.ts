/** @file Training steps on a mesh of devices: replicas of the network side by side, each cut into stages. */
import { lastOf, nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import type { AllReduceAlgorithmName } from "../collectives/all-reduce/index.ts";
import { addAllReduce } from "./all-reduce.ts";
import { type Schedule, type Simulated, schedule } from "./schedule.ts";
import type { Topology } from "./topology.ts";

/** A part of a backward pass after which some gradients are complete. */
export interface BackwardPart {
  /** Milliseconds for a micro-batch. */
  readonly time: number;
  /** Bytes of the gradients that are complete after it. */
  readonly bytes: number;
}

/** What a stage of the network costs a device. */
export interface StageCost {
  /** Milliseconds for a micro-batch. */
  readonly forward: number;
  /** In their order, that of the last layers first. */
  readonly backward: readonly BackwardPart[];
  /** Milliseconds of the optimizer. */
  readonly update: number;
  /** Bytes to the next stage for a micro-batch, and as many of gradients back. */
  readonly boundary: number;
  /** Bytes that are kept of a micro-batch from its forward pass to the end of its backward pass. */
  readonly activations: number;
  /** Bytes of parameters, gradients and what the optimizer keeps. */
  readonly held: number;
}

/**
 * The order of micro-batches at a stage. `gpipe` (Huang et al. 2019): all forward, then all backward. `1f1b` (Narayanan et al. 2019): as soon as the
 * pipeline is full one backward after each forward, so that a stage keeps as many micro-batches as there are stages from it on, not all.
 */
export const pipelineOrders = {
  gpipe: (_stage: number, _stages: number, microBatches: number) => microBatches,
  "1f1b": (stage: number, stages: number, microBatches: number) => Math.min(stages - stage, microBatches),
} as const satisfies Readonly<Record<string, (stage: number, stages: number, microBatches: number) => number>>;

export type PipelineOrder = keyof typeof pipelineOrders;

export interface MeshStepOptions {
  readonly stages: readonly StageCost[];
  /** Copies of the network, between which gradients are averaged; default 1. Device r·S + s has stage s of replica r. */
  readonly replicas?: number;
  /** Parts of a replica's batch, one after another; default 1. */
  readonly microBatches?: number;
  /** Default `1f1b`. */
  readonly order?: PipelineOrder;
  /** Default `ring`. */
  readonly allReduce?: AllReduceAlgorithmName;
  /** Whether gradients travel as soon as they are complete, beside the rest of the backward pass; default true. */
  readonly overlap?: boolean;
  /** What travels in the place of gradients: bytes divided by `ratio`, after `time` more milliseconds of computing. */
  readonly compression?: { readonly ratio: number; readonly time: number };
  /** Updates between exchanges, of parameters then; default 1. */
  readonly localSteps?: number;
  /** How fast each device computes; 1 when absent. */
  readonly speeds?: readonly number[];
}

const meshStepOptionsNames: OptionNames<MeshStepOptions> = {
  stages: true,
  replicas: true,
  microBatches: true,
  order: true,
  allReduce: true,
  overlap: true,
  compression: true,
  localSteps: true,
  speeds: true,
};

export interface SimulatedStep extends Simulated {
  /** Milliseconds of one update: the whole by the local steps. */
  readonly stepTime: number;
}

/** Simulates a training step, or so many local ones with the exchange behind them. */
export function simulateStep(topology: Topology, options: MeshStepOptions): SimulatedStep {
  checkOptions(options, meshStepOptionsNames);
  const { stages, replicas = 1, localSteps = 1, microBatches = 1, compression } = options;
  checkCount("replicas", replicas);
  checkCount("localSteps", localSteps);
  checkCount("microBatches", microBatches);
  checkMesh(topology, stages.length, replicas);
  if (compression && !(compression.ratio >= 1)) {
    throw new UsageError("a compression has a ratio of at least 1", { got: String(compression.ratio) });
  }
  const plan = schedule(topology, options.speeds);
  for (let replica = 0; replica < replicas; replica++) {
    for (const [stage, { held }] of stages.entries()) plan.hold(replica * stages.length + stage, held);
  }
  let updated: readonly (readonly number[])[] = [];
  for (let step = 1; step <= localSteps; step++) {
    updated = addStep(plan, options, { before: updated, isExchanged: step === localSteps });
  }
  const simulated = plan.run();
  return { ...simulated, stepTime: simulated.time / localSteps };
}

function checkMesh({ hosts }: Topology, stages: number, replicas: number): void {
  checkCount("the number of stages", stages);
  if (stages * replicas === hosts.length) return;
  throw new UsageError("every device has one stage of one replica", {
    expected: `${stages} stages × ${replicas} replicas = ${stages * replicas} devices`,
    got: String(hosts.length),
  });
}

interface Round {
  /** By device, the tasks that end the step before. */
  readonly before: readonly (readonly number[])[];
  readonly isExchanged: boolean;
}

function addStep(plan: Schedule, options: MeshStepOptions, round: Round): number[][] {
  const { stages, replicas = 1 } = options;
  const backwards = Array.from({ length: replicas }, (_, replica) => addReplica(plan, options, replica, round));
  const ends: number[][] = Array.from({ length: replicas * stages.length }, () => []);
  stages.forEach(({ update }, stage) => {
    const parts = backwards.map((replica) => nth(replica, stage));
    const exchanged = round.isExchanged
      ? addExchange(plan, options, stage, parts)
      : parts.map((part) => [lastOf(part)]);
    exchanged.forEach((after, replica) => {
      const device = replica * stages.length + stage;
      ends[device] = [plan.compute(device, "update", update, after)];
    });
  });
  return ends;
}

/** The passes of one replica. Gives by stage the parts of the last micro-batch's backward pass. */
function addReplica(plan: Schedule, options: MeshStepOptions, replica: number, { before }: Round): number[][] {
  const { stages, microBatches = 1, order = "1f1b" } = options;
  const count = stages.length;
  const device = (stage: number): number => replica * count + stage;
  const table = (): (number[] | undefined)[][] => stages.map(() => Array(microBatches).fill(undefined));
  const [forward, backward] = [table(), table()];
  const last: (number | undefined)[] = stages.map((_, stage) => before[device(stage)]?.[0]);
  const runs = stages.map((_, stage) => stageOrder(pipelineOrders[order](stage, count, microBatches), microBatches));
  const places = stages.map(() => 0);
  const add = (stage: number, { pass, batch }: Turn): void => {
    const cost = nth(stages, stage);
    const own = last[stage];
    if (pass === "forward") {
      const came = message(plan, forward[stage - 1]?.[batch], [device(stage - 1), device(stage)], stages[stage - 1]);
      const memory = [{ device: device(stage), bytes: cost.activations, at: "start" }] as const;
      const task = plan.compute(device(stage), "forward", cost.forward, [came, own], memory);
      nth(forward, stage)[batch] = [task];
      last[stage] = task;
      return;
    }
    const came = message(plan, backward[stage + 1]?.[batch], [device(stage + 1), device(stage)], cost);
    const parts = addBackward(plan, device(stage), cost, [came, own, ...nth(nth(forward, stage), batch)]);
    nth(backward, stage)[batch] = parts;
    last[stage] = lastOf(parts);
  };
  const isPossible = (stage: number, { pass, batch }: Turn): boolean =>
    pass === "forward"
      ? stage === 0 || forward[stage - 1]?.[batch] !== undefined
      : stage === count - 1 || backward[stage + 1]?.[batch] !== undefined;
  for (let isMoving = true; isMoving; ) {
    isMoving = false;
    for (const [stage, turns] of runs.entries()) {
      for (let turn = turns[nth(places, stage)]; turn && isPossible(stage, turn); turn = turns[nth(places, stage)]) {
        add(stage, turn);
        places[stage] = nth(places, stage) + 1;
        isMoving = true;
      }
    }
  }
  return backward.map((list) => nth(list, microBatches - 1));
}

/** What a stage does next. */
export interface Turn {
  readonly pass: "forward" | "backward";
  readonly batch: number;
}

/** The turns of a stage that keeps at most so many micro-batches. */
export function stageOrder(kept: number, microBatches: number): Turn[] {
  const turns: Turn[] = Array.from({ length: kept }, (_, batch) => ({ pass: "forward", batch }));
  for (let batch = 0; batch < microBatches; batch++) {
    turns.push({ pass: "backward", batch });
    if (kept + batch < microBatches) turns.push({ pass: "forward", batch: kept + batch });
  }
  return turns;
}

function message(
  plan: Schedule,
  made: readonly number[] | undefined,
  [from, to]: readonly [number, number],
  cost: StageCost | undefined,
): number | undefined {
  if (!made || !cost) return undefined;
  return plan.send(from, to, cost.boundary, [lastOf(made)]);
}

/** The last part frees what the forward pass kept. */
function addBackward(
  plan: Schedule,
  device: number,
  cost: StageCost,
  after: readonly (number | undefined)[],
): number[] {
  const parts: number[] = [];
  cost.backward.forEach(({ time }, index) => {
    const isLast = index === cost.backward.length - 1;
    const memory = isLast ? [{ device, bytes: -cost.activations, at: "end" } as const] : undefined;
    parts.push(plan.compute(device, "backward", time, index === 0 ? after : [lastOf(parts)], memory));
  });
  return parts;
}

/** Averages a stage's gradients over its replicas, part by part. Gives by replica what its update waits for. */
function addExchange(
  plan: Schedule,
  { stages, overlap = true, allReduce = "ring", compression }: MeshStepOptions,
  stage: number,
  parts: readonly (readonly number[])[],
): number[][] {
  const cost = nth(stages, stage);
  const devices = parts.map((_, replica) => replica * stages.length + stage);
  const done: number[][] = parts.map((list) => [lastOf(list)]);
  if (devices.length === 1) return done;
  cost.backward.forEach(({ bytes }, index) => {
    if (bytes === 0) return;
    const made = parts.map((list) => (overlap ? nth(list, index) : lastOf(list)));
    const share = compression && compression.time / cost.backward.filter((part) => part.bytes > 0).length;
    const after = share
      ? made.map((task, replica) => plan.compute(nth(devices, replica), "compress", share, [task]))
      : made;
    const sent = bytes / (compression?.ratio ?? 1);
    const results = addAllReduce(plan, { devices, bytes: sent, algorithm: allReduce, after });
    for (const [replica, tasks] of results.entries()) for (const task of tasks) nth(done, replica).push(task);
  });
  return done;
}

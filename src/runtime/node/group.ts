/** @file Opens a partition in Node: every rank in a thread of its own, all of them in one process. */

import { UnsupportedError } from "../../errors.ts";
import { fedInputs, type Model, type Value } from "../../ir/index.ts";
import { type GroupSpec, groupChannel, type RankParts } from "../group/channel.ts";
import { type ResolvedOptions, resolveOptions } from "../options.ts";
import { checkPartition, type Partition } from "../partition.ts";
import { loadSpec } from "../prepare.ts";
import type { RankPart, RankSpec, WirePort } from "../protocol.ts";
import { openRemote } from "../remote-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { bytesOf, timeLimit } from "../time-limit.ts";
import { processChannel, threadChannel } from "./channels.ts";
import { memoryLimit } from "./limits.ts";
import { saturates } from "./open.ts";

export async function openPartition(partition: Partition, options: SessionOptions = {}): Promise<Session> {
  const resolved = resolveOptions(options);
  checkOptions(resolved);
  checkPartition(partition);
  const ranks = await rankSpecs(partition, resolved);
  const spec: GroupSpec = { ep: resolved.ep, profile: false, ranks };
  const types = new Map([...partition.inputs, ...partition.outputs].map(({ name, type }) => [name, type]));
  const { isolate, limits, name, step } = resolved;
  const bytes = bytesOfRanks(ranks);
  const remote = { spec, types, name, step };
  if (isolate === "thread") {
    const lines = ranks.map(() => threadChannel<RankSpec>("rank.js"));
    const limit = limits.time === undefined ? {} : { limit: timeLimit(limits, bytes) };
    return withoutState(await openRemote(groupChannel(lines), { ...remote, ...limit }));
  }
  const channel = processChannel<GroupSpec>("group-process.js", {
    memory: memoryLimit(limits, bytes),
    isReused: false,
  });
  return withoutState(await openRemote(channel, { ...remote, limit: timeLimit(limits, bytes) }));
}

function bytesOfRanks(ranks: readonly RankParts[]): number {
  const steps = ranks.flatMap((rank) => rank.steps);
  return steps.reduce((sum, step) => sum + (step.kind === "run" ? bytesOf(step.spec) : 0), 0);
}

function checkOptions({ ep, profile }: ResolvedOptions): void {
  if (profile) throw new UnsupportedError("a group of ranks writes no profile");
  if (ep === "webgpu")
    throw new UnsupportedError("ranks on one GPU wait for each other", { expected: '"cpu" or "wasm"' });
}

/** What each rank loads. */
export async function rankSpecs(partition: Partition, options: ResolvedOptions): Promise<RankParts[]> {
  const specs: RankParts[] = [];
  for (let rank = 0; rank < partition.size; rank++) specs.push(await rankSpec(partition, rank, options));
  return specs;
}

async function rankSpec(
  { inputs, outputs, steps }: Partition,
  rank: number,
  options: ResolvedOptions,
): Promise<RankParts> {
  const own: RankSpec["steps"][number][] = [];
  for (const step of steps) {
    if (step.kind === "sum") own.push(step);
    else if (step.kind === "signs") {
      if (rank === 0) own.push(step);
    } else if (step.parts[rank]) own.push(await rankPart(step.parts[rank], options));
  }
  const { ep, threads } = options;
  return { rank, ep, threads, inputs: inputs.map(portOf), outputs: outputs.map(portOf), steps: own };
}

async function rankPart(part: Model, options: ResolvedOptions): Promise<RankPart> {
  const { spec } = loadSpec(part, { ...options, saturates: await saturates(part, options), reduced: false });
  const names = (values: readonly Value[]) => values.map(({ name }) => name);
  return { kind: "run", spec, inputs: names(fedInputs(part.graph)), outputs: names(part.graph.outputs) };
}

function portOf({ name, type }: Value): WirePort {
  return type?.kind === "tensor"
    ? { name, dtype: type.dtype, dims: type.dims ?? [] }
    : { name, dtype: undefined, dims: [] };
}

/** Results are on rank 0 alone, so that no rank could feed itself with them. */
function withoutState(session: Session): Session {
  const { ep, inputs, outputs, loadTime } = session;
  return {
    ep,
    inputs,
    outputs,
    loadTime,
    run: (feeds, options) => session.run(feeds, options),
    time: (feeds, rounds) => session.time(feeds, rounds),
    hold: (feeds) => session.hold!(feeds),
    memory: () => session.memory!(),
    profile: () => session.profile(),
    release: () => session.release(),
    [Symbol.asyncDispose]: () => session.release(),
  };
}

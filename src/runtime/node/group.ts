/** @file Opens a partition in Node: every rank in a worker thread of its own. */
import { UnsupportedError } from "../../errors.ts";
import type { Model, Value } from "../../ir/index.ts";
import { type GroupSpec, groupChannel } from "../group/channel.ts";
import { type GroupMemory, groupMemory } from "../group/memory.ts";
import { type ResolvedOptions, resolveOptions } from "../options.ts";
import { checkPartition, inputsOf, type Partition } from "../partition.ts";
import { loadSpec } from "../prepare.ts";
import type { RankPart, RankSpec, WirePort } from "../protocol.ts";
import { openRemote } from "../remote-session.ts";
import type { Session, SessionOptions } from "../session.ts";
import { threadChannel } from "./channels.ts";
import { saturates } from "./open.ts";

export async function openPartition(partition: Partition, options: SessionOptions = {}): Promise<Session> {
  const resolved = resolveOptions(options);
  checkOptions(resolved);
  checkPartition(partition);
  const memory = groupMemory(partition.size);
  const ranks = await rankSpecs(partition, memory, resolved);
  const lines = ranks.map(() => threadChannel<RankSpec>("rank.js"));
  const spec: GroupSpec = { ep: resolved.ep, profile: false, ranks };
  const types = new Map([...partition.inputs, ...partition.outputs].map(({ name, type }) => [name, type]));
  return withoutState(await openRemote(groupChannel(lines, memory), { spec, types }));
}

function checkOptions({ ep, profile, isolate }: ResolvedOptions): void {
  if (profile) throw new UnsupportedError("a group of ranks writes no profile");
  if (isolate === "process") throw new UnsupportedError("the ranks share memory, which processes do not");
  if (ep === "webgpu")
    throw new UnsupportedError("ranks on one GPU wait for each other", { expected: '"cpu" or "wasm"' });
}

/** What each rank loads. */
export async function rankSpecs(
  partition: Partition,
  memory: GroupMemory,
  options: ResolvedOptions,
): Promise<RankSpec[]> {
  const specs: RankSpec[] = [];
  for (let rank = 0; rank < partition.size; rank++) specs.push(await rankSpec(partition, rank, memory, options));
  return specs;
}

async function rankSpec(
  { inputs, outputs, steps }: Partition,
  rank: number,
  memory: GroupMemory,
  options: ResolvedOptions,
): Promise<RankSpec> {
  const own: RankSpec["steps"][number][] = [];
  for (const step of steps) {
    if (step.kind === "sum") own.push(step);
    else if (step.parts[rank]) own.push(await rankPart(step.parts[rank], options));
  }
  const { ep, threads } = options;
  return { rank, memory, ep, threads, inputs: inputs.map(portOf), outputs: outputs.map(portOf), steps: own };
}

async function rankPart(part: Model, options: ResolvedOptions): Promise<RankPart> {
  const { spec } = loadSpec(part, { ...options, saturates: await saturates(part, options), reduced: false });
  const names = (values: readonly Value[]) => values.map(({ name }) => name);
  return { kind: "run", spec, inputs: names(inputsOf(part)), outputs: names(part.graph.outputs) };
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

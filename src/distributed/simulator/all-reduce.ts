/** @file All-reduce in a schedule: message by message for few ranks, as one operation of all for many. */
import { nth } from "../../checked.ts";
import type { AllReduceAlgorithmName } from "../collectives/all-reduce/index.ts";
import type { Link } from "./reductions.ts";
import type { Schedule } from "./schedule.ts";
import type { Topology } from "./topology.ts";

/** Ranks up to which every message is a task. Above, ranks are taken to march in step, which they do where they are alike. */
const MOST_RANKS_BY_MESSAGES = 32;

export interface AllReduceTask {
  readonly devices: readonly number[];
  readonly bytes: number;
  readonly algorithm: AllReduceAlgorithmName;
  /** By position in `devices`, the task that has to end before. */
  readonly after: readonly (number | undefined)[];
}

/**
 * Adds an all-reduce. Gives by position the tasks after which a device has the result. Sums take no time. By every algorithm the ranks send
 * 2 (N−1) times the bytes between them.
 */
export function addAllReduce(schedule: Schedule, task: AllReduceTask): readonly (readonly number[])[] {
  const { devices, algorithm, bytes, after } = task;
  if (devices.length === 1) return [after.filter((each) => each !== undefined)];
  if (devices.length <= MOST_RANKS_BY_MESSAGES) return byMessages[algorithm](schedule, task);
  const time = allReduceTime(schedule.topology, devices, bytes, algorithm);
  const sent = (2 * (devices.length - 1) * bytes) / devices.length;
  const whole = schedule.together(devices, "all-reduce", time, sent, after);
  return devices.map(() => [whole]);
}

/** Milliseconds of an all-reduce whose ranks begin together, by the α-β model: a message of b bytes takes α + b / β. */
export function allReduceTime(
  topology: Topology,
  devices: readonly number[],
  bytes: number,
  algorithm: AllReduceAlgorithmName,
): number {
  const groups = groupsOf(topology, devices);
  const slowest = groups.length > 1 ? slower(topology.between, topology.inside) : topology.inside;
  const ranks = devices.length;
  if (ranks === 1) return 0;
  if (algorithm === "ring") return ringTime(ranks, bytes, slowest);
  if (algorithm === "tree") return treeTime(ranks, bytes, slowest);
  if (algorithm === "halving-doubling") return halvingTime(ranks, bytes, slowest);
  const largest = groups.reduce((most, { length }) => Math.max(most, length), 0);
  return treeTime(largest, bytes, topology.inside) + ringTime(groups.length, bytes, topology.between);
}

function ringTime(ranks: number, bytes: number, { latency, bandwidth }: Link): number {
  return 2 * (ranks - 1) * (latency + bytes / ranks / bandwidth);
}

function treeTime(ranks: number, bytes: number, { latency, bandwidth }: Link): number {
  return 2 * Math.ceil(Math.log2(ranks)) * (latency + bytes / bandwidth);
}

/** Ranks beyond a power of two hand everything to a neighbour before, and get it back behind. */
function halvingTime(ranks: number, bytes: number, { latency, bandwidth }: Link): number {
  const rounds = Math.floor(Math.log2(ranks));
  const power = 2 ** rounds;
  const halved = 2 * (rounds * latency + ((power - 1) * bytes) / power / bandwidth);
  return halved + (ranks > power ? 2 * (latency + bytes / bandwidth) : 0);
}

function slower(a: Link, b: Link): Link {
  return { latency: Math.max(a.latency, b.latency), bandwidth: Math.min(a.bandwidth, b.bandwidth) };
}

/** The positions in `devices` of those of each host, in order. */
function groupsOf({ hosts }: Topology, devices: readonly number[]): number[][] {
  const groups = new Map<number, number[]>();
  devices.forEach((device, position) => {
    const host = nth(hosts, device);
    groups.set(host, [...(groups.get(host) ?? []), position]);
  });
  return [...groups.values()];
}

/** What each position waits for, as messages are added; a position among all devices of the operation. */
type Tokens = (number | undefined)[][];

type ByMessages = (schedule: Schedule, task: AllReduceTask) => Tokens;

const begun = ({ after }: AllReduceTask): Tokens => after.map((each) => [each]);
const ended = (tokens: Tokens): number[][] => tokens.map((list) => list.filter((each) => each !== undefined));

const byMessages: Readonly<Record<AllReduceAlgorithmName, (schedule: Schedule, task: AllReduceTask) => number[][]>> = {
  ring: (schedule, task) => {
    const positions = task.devices.map((_, position) => position);
    return ended(ring(schedule, task, positions, begun(task)));
  },
  tree: (schedule, task) => {
    const positions = task.devices.map((_, position) => position);
    return ended(fromRoot(schedule, task, positions, toRoot(schedule, task, positions, begun(task))));
  },
  "halving-doubling": (schedule, task) => ended(halvingDoubling(schedule, task)),
  hierarchical: (schedule, task) => {
    const groups = groupsOf(schedule.topology, task.devices);
    let tokens = begun(task);
    for (const group of groups) tokens = toRoot(schedule, task, group, tokens);
    const leaders = groups.map((group) => nth(group, 0));
    tokens = ring(schedule, task, leaders, tokens);
    for (const group of groups) tokens = fromRoot(schedule, task, group, tokens);
    return ended(tokens);
  },
};

/** In each of 2 (N−1) rounds every rank sends a part to the right, once it has the one from the left. */
function ring(
  schedule: Schedule,
  { devices, bytes }: AllReduceTask,
  members: readonly number[],
  tokens: Tokens,
): Tokens {
  const { length } = members;
  const deviceAt = (place: number): number => nth(devices, nth(members, place % length));
  let before = members.map((position) => nth(tokens, position));
  for (let round = 0; length > 1 && round < 2 * (length - 1); round++) {
    const sends = members.map((_, place) =>
      schedule.send(deviceAt(place), deviceAt(place + 1), bytes / length, nth(before, place)),
    );
    before = members.map((_, place) => [nth(sends, (place + length - 1) % length), nth(sends, place)]);
  }
  return replaced(tokens, members, before);
}

/** Over a binomial tree: in the round of distance d, the places that are d apart from one that stays hand theirs on. */
const toRoot: TreeHalf = (schedule, { devices, bytes }, members, tokens) => {
  const held = members.map((position) => [...nth(tokens, position)]);
  for (let distance = 1; distance < members.length; distance *= 2) {
    for (let place = distance; place < members.length; place += 2 * distance) {
      const [from, to] = [nth(members, place), nth(members, place - distance)];
      const sent = schedule.send(nth(devices, from), nth(devices, to), bytes, nth(held, place));
      nth(held, place - distance).push(sent);
    }
  }
  return replaced(tokens, members, held);
};

/** The way back, the farthest first. */
const fromRoot: TreeHalf = (schedule, { devices, bytes }, members, tokens) => {
  const held = members.map((position) => [...nth(tokens, position)]);
  const first = 2 ** Math.floor(Math.log2(Math.max(1, members.length - 1)));
  for (let distance = first; distance >= 1; distance /= 2) {
    for (let place = distance; place < members.length; place += 2 * distance) {
      const [to, from] = [nth(members, place), nth(members, place - distance)];
      const sent = schedule.send(nth(devices, from), nth(devices, to), bytes, nth(held, place - distance));
      held[place] = [sent];
    }
  }
  return replaced(tokens, members, held);
};

type TreeHalf = (schedule: Schedule, task: AllReduceTask, members: readonly number[], tokens: Tokens) => Tokens;

function replaced(tokens: Tokens, members: readonly number[], values: Tokens): Tokens {
  const after = [...tokens];
  members.forEach((position, place) => {
    after[position] = nth(values, place);
  });
  return after;
}

const halvingDoubling: ByMessages = (schedule, task) => {
  const { devices, bytes } = task;
  const power = 2 ** Math.floor(Math.log2(devices.length));
  const paired = devices.length - power;
  const active = devices.map((_, position) => position).filter((i) => i >= 2 * paired || i % 2 === 1);
  let tokens = begun(task);
  const give = (from: number, to: number): void => {
    const sent = schedule.send(nth(devices, from), nth(devices, to), bytes, nth(tokens, from));
    tokens = replaced(tokens, [to], [[...nth(tokens, to), sent]]);
  };
  for (let pair = 0; pair < paired; pair++) give(2 * pair, 2 * pair + 1);
  const swap = (distance: number): void => {
    const part = (bytes * distance) / power;
    const sends = active.map((from, place) =>
      schedule.send(nth(devices, from), nth(devices, nth(active, place ^ distance)), part, nth(tokens, from)),
    );
    tokens = replaced(
      tokens,
      active,
      active.map((_, place) => [nth(sends, place), nth(sends, place ^ distance)]),
    );
  };
  for (let distance = power / 2; distance >= 1; distance /= 2) swap(distance);
  for (let distance = 1; distance < power; distance *= 2) swap(distance);
  for (let pair = 0; pair < paired; pair++) give(2 * pair + 1, 2 * pair);
  return tokens;
};

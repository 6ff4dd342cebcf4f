/** @file Discrete events: tasks that occupy resources for a time, once what they wait for is done. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { heapBy } from "./heap.ts";

/** Bytes that a device holds more of, or less, from a moment of a task on. */
export interface MemoryChange {
  readonly device: number;
  readonly bytes: number;
  readonly at: "start" | "end";
}

/** Something that takes time. Tasks are named by their position in the list. */
export interface Task {
  /** What it is, for whoever reads the timeline. */
  readonly kind: string;
  /** Resources that it occupies all at once; each serves one task at a time. */
  readonly on: readonly number[];
  /** Milliseconds for which it occupies them. */
  readonly time: number;
  /** Milliseconds from its end until those that wait for it may begin, as a message that is under way. */
  readonly delay?: number;
  /** Tasks that come before it. */
  readonly after: readonly number[];
  readonly memory?: readonly MemoryChange[];
}

export interface Timeline {
  /** Milliseconds until everything has ended. */
  readonly time: number;
  /** By task, in milliseconds. */
  readonly start: Float64Array;
  readonly end: Float64Array;
  /** Milliseconds in which each resource was occupied. */
  readonly busy: Float64Array;
  /** The most bytes that each device held at a time. */
  readonly peak: Float64Array;
}

export interface Machinery {
  readonly resources: number;
  /** Devices whose memory is counted. */
  readonly devices: number;
}

/**
 * Runs all tasks. A resource takes those that are ready in the order in which they became so, among equals the one with the lower number; a
 * task on several resources begins when it is the next of each. Deterministic.
 *
 * @throws UsageError where tasks wait for each other in a circle, or a time is none
 */
export function runTasks(tasks: readonly Task[], { resources, devices }: Machinery): Timeline {
  tasks.forEach(checkTask);
  const [start, end] = [new Float64Array(tasks.length).fill(Number.NaN), new Float64Array(tasks.length)];
  const memory = memoryOf(devices);
  const waits = new Int32Array(tasks.length).map((_, task) => nth(tasks, task).after.length);
  const followers = followersOf(tasks);
  const agenda = agendaOf();
  let now = 0;
  const counters = countersOf(tasks, resources, (task) => {
    const { time, memory: changes } = nth(tasks, task);
    start[task] = now;
    memory.change(changes, "start");
    agenda.plan(task, "ends", now + time);
  });
  const finish = (task: number): void => {
    const { delay = 0, memory: changes } = nth(tasks, task);
    end[task] = now;
    memory.change(changes, "end");
    agenda.plan(task, "is told", now + delay);
    counters.leave(task);
  };
  const tell = (task: number): void => {
    for (const next of followers(task)) {
      waits[next] = at(waits, next) - 1;
      if (waits[next] === 0) counters.enqueue(next, now);
    }
  };
  waits.forEach((count, task) => {
    if (count === 0) counters.enqueue(task, now);
  });
  for (let event = agenda.next(); event; event = agenda.next()) {
    now = event.time;
    if (event.what === "ends") finish(event.task);
    else tell(event.task);
  }
  checkDone(tasks, start);
  return { time: now, start, end, busy: counters.busy, peak: memory.peak };
}

/** What will happen, the earliest first. */
function agendaOf() {
  /** 2 i: task i leaves its resources; 2 i + 1: those that wait for it are told. */
  const moments: number[] = [];
  const events = heapBy((a, b) => at(moments, a) < at(moments, b) || (moments[a] === moments[b] && a < b));
  return {
    plan(task: number, what: "ends" | "is told", time: number): void {
      const event = 2 * task + (what === "ends" ? 0 : 1);
      moments[event] = time;
      events.push(event);
    },
    next() {
      const event = events.pop();
      if (event === undefined) return undefined;
      const what = event % 2 === 0 ? "ends" : "is told";
      return { task: Math.floor(event / 2), what, time: at(moments, event) } as const;
    },
  };
}

/** Resources with a queue before each. `onBegin` hears of a task as it takes its resources. */
function countersOf(tasks: readonly Task[], resources: number, onBegin: (task: number) => void) {
  const ready = new Float64Array(tasks.length);
  const [busy, isBusy] = [new Float64Array(resources), new Uint8Array(resources)];
  const isFirst = (a: number, b: number): boolean => (ready[a] === ready[b] ? a < b : at(ready, a) < at(ready, b));
  const queues = Array.from({ length: resources }, () => heapBy(isFirst));
  const isFor = (resource: number, task: number): boolean =>
    isBusy[resource] === 0 && nth(queues, resource).peek() === task;
  /** The resource that each waited for when it was last looked at. */
  const awaited = new Int32Array(tasks.length).fill(-1);
  const begin = (task: number | undefined): void => {
    if (task === undefined) return;
    const { on, time } = nth(tasks, task);
    const known = at(awaited, task);
    if (known >= 0 && !isFor(known, task)) return;
    const missing = on.find((resource) => !isFor(resource, task));
    awaited[task] = missing ?? -1;
    if (missing !== undefined) return;
    for (const resource of on) {
      nth(queues, resource).pop();
      isBusy[resource] = 1;
      busy[resource] = at(busy, resource) + time;
    }
    onBegin(task);
  };
  return {
    busy,
    enqueue(task: number, now: number): void {
      ready[task] = now;
      for (const resource of nth(tasks, task).on) nth(queues, resource).push(task);
      begin(task);
    },
    leave(task: number): void {
      const { on } = nth(tasks, task);
      for (const resource of on) isBusy[resource] = 0;
      for (const resource of on) begin(nth(queues, resource).peek());
    },
  };
}

function at(list: ArrayLike<number>, index: number): number {
  return list[index] ?? 0;
}

function checkTask({ kind, time, delay = 0 }: Task, index: number): void {
  if (Number.isFinite(time) && Number.isFinite(delay) && time >= 0 && delay >= 0) return;
  throw new UsageError("a task takes a finite time of at least 0", {
    got: `${time} ms, delay ${delay} ms`,
    where: `task ${index} (${kind})`,
  });
}

function checkDone(tasks: readonly Task[], start: Float64Array): void {
  const never = start.findIndex(Number.isNaN);
  if (never < 0) return;
  throw new UsageError("tasks wait for each other in a circle", { where: `task ${never} (${nth(tasks, never).kind})` });
}

/** The tasks that wait for each, in one array. */
function followersOf(tasks: readonly Task[]): (task: number) => Int32Array {
  const first = new Int32Array(tasks.length + 1);
  for (const { after } of tasks) for (const task of after) first[task + 1] = at(first, task + 1) + 1;
  for (let i = 0; i < tasks.length; i++) first[i + 1] = at(first, i + 1) + at(first, i);
  const filled = first.slice();
  const all = new Int32Array(at(first, tasks.length));
  tasks.forEach(({ after }, index) => {
    for (const task of after) {
      const place = at(filled, task);
      all[place] = index;
      filled[task] = place + 1;
    }
  });
  return (task) => all.subarray(at(first, task), at(first, task + 1));
}

function memoryOf(devices: number) {
  const [held, peak] = [new Float64Array(devices), new Float64Array(devices)];
  return {
    peak,
    change(changes: readonly MemoryChange[] = [], moment: MemoryChange["at"]): void {
      for (const { device, bytes, at: when } of changes) {
        if (when !== moment) continue;
        held[device] = at(held, device) + bytes;
        peak[device] = Math.max(at(peak, device), at(held, device));
      }
    },
  };
}

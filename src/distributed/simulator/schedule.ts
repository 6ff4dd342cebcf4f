/** @file A list of tasks in the making: computations on devices, messages between them, and what came of them. */
import { type MemoryChange, runTasks, type Task } from "./events.ts";
import { resourcesOf, type Topology } from "./topology.ts";

export interface DeviceUse {
  /** Milliseconds in which it computed. */
  readonly busy: number;
  /** Milliseconds of the whole in which it did not. */
  readonly idle: number;
  /** busy / time. */
  readonly utilisation: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** The most bytes that it held at a time. */
  readonly peakBytes: number;
}

export interface Simulated {
  /** Milliseconds. */
  readonly time: number;
  readonly devices: readonly DeviceUse[];
  /** 1 − the mean utilisation of the devices: what a bubble is measured in. */
  readonly bubble: number;
  readonly tasks: readonly Task[];
  readonly start: Float64Array;
  readonly end: Float64Array;
}

/** Names of tasks that must have ended; `undefined` is nothing. */
export type After = readonly (number | undefined)[];

export interface Schedule {
  readonly topology: Topology;
  readonly tasks: readonly Task[];
  compute(device: number, kind: string, time: number, after: After, memory?: readonly MemoryChange[]): number;
  /** A message; it has arrived when the task and its delay are over. */
  send(from: number, to: number, bytes: number, after: After): number;
  /** An operation of several devices that begins together and takes this long; each sends and receives so many bytes. */
  together(devices: readonly number[], kind: string, time: number, bytes: number, after: After): number;
  /** Bytes that a device holds all the time. */
  hold(device: number, bytes: number): void;
  run(): Simulated;
}

/** `speeds` multiply how fast each device computes; 1 when absent. */
export function schedule(topology: Topology, speeds: readonly number[] = []): Schedule {
  const resources = resourcesOf(topology);
  const tasks: Task[] = [];
  const { devices } = resources;
  const [sent, received, held] = [new Float64Array(devices), new Float64Array(devices), new Float64Array(devices)];
  const add = (task: Omit<Task, "after">, after: After): number =>
    tasks.push({ ...task, after: [...new Set(after.filter((each) => each !== undefined))] }) - 1;
  const count = (totals: Float64Array, device: number, bytes: number): void => {
    totals[device] = (totals[device] ?? 0) + bytes;
  };
  return {
    topology,
    tasks,
    compute: (device, kind, time, after, memory) =>
      add(
        { kind, on: [resources.processor(device)], time: time / (speeds[device] ?? 1), ...(memory && { memory }) },
        after,
      ),
    send(from, to, bytes, after) {
      const { on, link } = resources.route(from, to);
      count(sent, from, bytes);
      count(received, to, bytes);
      return add({ kind: "send", on, time: bytes / link.bandwidth, delay: link.latency }, after);
    },
    together(members, kind, time, bytes, after) {
      for (const device of members) {
        count(sent, device, bytes);
        count(received, device, bytes);
      }
      return add({ kind, on: members.flatMap(resources.waysOf), time }, after);
    },
    hold: (device, bytes) => count(held, device, bytes),
    run() {
      const timeline = runTasks(tasks, { resources: resources.count, devices });
      const { time, start, end, peak } = timeline;
      const uses = Array.from({ length: devices }, (_, device): DeviceUse => {
        const busy = timeline.busy[resources.processor(device)] ?? 0;
        return {
          busy,
          idle: time - busy,
          utilisation: time > 0 ? busy / time : 0,
          sentBytes: sent[device] ?? 0,
          receivedBytes: received[device] ?? 0,
          peakBytes: (held[device] ?? 0) + (peak[device] ?? 0),
        };
      });
      const bubble = 1 - uses.reduce((sum, { utilisation }) => sum + utilisation, 0) / devices;
      return { time, devices: uses, bubble, tasks, start, end };
    },
  };
}

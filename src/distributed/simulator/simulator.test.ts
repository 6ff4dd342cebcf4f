import { describe, expect, it } from "vitest";
import { allReduceAlgorithms } from "../collectives/all-reduce/index.ts";
import { addAllReduce, allReduceTime } from "./all-reduce.ts";
import { criticalPath, mostWork } from "./bounds.ts";
import { runTasks, type Task } from "./events.ts";
import { simulateServerStep } from "./parameter-server.ts";
import { type Simulated, schedule } from "./schedule.ts";
import { evenTopology } from "./topology.ts";
import { type MeshStepOptions, type PipelineOrder, type StageCost, simulateStep } from "./training-step.ts";

const link = { latency: 0.05, bandwidth: 1000 };
const free = { latency: 0, bandwidth: Number.POSITIVE_INFINITY };
const algorithms = Object.keys(allReduceAlgorithms) as (keyof typeof allReduceAlgorithms)[];

/** A stage of 1 ms forward, 2 ms backward. */
const stage: StageCost = {
  forward: 1,
  backward: [{ time: 2, bytes: 4000 }],
  update: 0,
  boundary: 0,
  activations: 10,
  held: 100,
};

function pipeline(stages: number, microBatches: number, order: PipelineOrder, options: Partial<MeshStepOptions> = {}) {
  return simulateStep(evenTopology(stages, free), {
    stages: Array.from({ length: stages }, () => stage),
    microBatches,
    order,
    ...options,
  });
}

/** Milliseconds of an all-reduce of devices that begin at once. */
function reduced(devices: number, bytes: number, algorithm: (typeof algorithms)[number], perHost = devices): Simulated {
  const plan = schedule(evenTopology(devices, link, { perHost, between: { latency: 0.2, bandwidth: 500 } }));
  const all = Array.from({ length: devices }, (_, device) => device);
  addAllReduce(plan, { devices: all, bytes, algorithm, after: all.map(() => undefined) });
  return plan.run();
}

/** Tasks of one resource or two in random order, with a generator of Park and Miller. */
function randomTasks(count: number, resources: number): Task[] {
  let state = 7;
  const random = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  return Array.from({ length: count }, (_, index) => ({
    kind: "work",
    on: [...new Set([random(resources), random(resources)])],
    time: random(10),
    delay: random(3),
    after: index === 0 ? [] : [...new Set([random(index), random(index)])],
  }));
}

describe("tasks", () => {
  it("occupy resources one at a time, begin after what they wait for, and do all their work", () => {
    const tasks = randomTasks(400, 6);
    const { start, end, busy, time } = runTasks(tasks, { resources: 6, devices: 0 });
    tasks.forEach(({ after, time: lasts }, index) => {
      expect(end[index]! - start[index]!).toBeCloseTo(lasts, 9);
      for (const task of after) expect(start[index]).toBeGreaterThanOrEqual(end[task]! + tasks[task]!.delay! - 1e-9);
    });
    for (let resource = 0; resource < 6; resource++) {
      const own = tasks.flatMap(({ on }, index) => (on.includes(resource) ? [index] : []));
      own.sort((a, b) => start[a]! - start[b]! || end[a]! - end[b]!);
      own.slice(1).forEach((task, i) => {
        expect(start[task]).toBeGreaterThanOrEqual(end[own[i]!]!);
      });
      expect(busy[resource]).toBe(own.reduce((sum, task) => sum + tasks[task]!.time, 0));
    }
    expect(time).toBeGreaterThanOrEqual(Math.max(criticalPath(tasks), mostWork(tasks, 6)));
  });

  it("take as long as the longest chain where each has a resource of its own", () => {
    const tasks = randomTasks(200, 1).map((task, index) => ({ ...task, on: [index] }));
    expect(runTasks(tasks, { resources: 200, devices: 0 }).time).toBeCloseTo(criticalPath(tasks), 9);
  });

  it("never leave a resource idle that something waits for", () => {
    const tasks = randomTasks(300, 3).map((task) => ({ ...task, on: [task.on[0]!], after: [], delay: 0 }));
    expect(runTasks(tasks, { resources: 3, devices: 0 }).time).toBe(mostWork(tasks, 3));
  });

  it("in a circle, or of no time, are refused", () => {
    const of = (time: number, after: number[]): Task => ({ kind: "work", on: [0], time, after });
    expect(() => runTasks([of(1, [1]), of(1, [0])], { resources: 1, devices: 0 })).toThrow("in a circle");
    expect(() => runTasks([of(Number.NaN, [])], { resources: 1, devices: 0 })).toThrow("a finite time");
  });
});

describe("all-reduce", () => {
  it.each([2, 3, 4, 8, 12])("on a ring of %i takes 2 (N−1) (α + n / (N β))", (devices) => {
    const wanted = 2 * (devices - 1) * (0.05 + 6000 / devices / 1000);
    expect(reduced(devices, 6000, "ring").time).toBeCloseTo(wanted, 9);
  });

  it.each([2, 4, 8, 16])(
    "over a tree of %i takes 2 log₂ N (α + n / β), by halving half of the bytes less",
    (devices) => {
      const rounds = Math.log2(devices);
      expect(reduced(devices, 6000, "tree").time).toBeCloseTo(2 * rounds * (0.05 + 6), 9);
      const wanted = 2 * (rounds * 0.05 + (6 * (devices - 1)) / devices);
      expect(reduced(devices, 6000, "halving-doubling").time).toBeCloseTo(wanted, 9);
    },
  );

  it("within hosts first takes a tree there and a ring between", () => {
    const wanted = 2 * 2 * (0.05 + 6) + 2 * 3 * (0.2 + 6000 / 4 / 500);
    expect(reduced(16, 6000, "hierarchical", 4).time).toBeCloseTo(wanted, 9);
  });

  it.each(algorithms)("by %s sends 2 (N−1) times the bytes in all, and what the formula says, or less", (algorithm) => {
    for (const devices of [2, 3, 5, 6, 8, 13]) {
      const { devices: uses, time } = reduced(devices, 6000, algorithm);
      const sent = uses.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
      expect(sent).toBeCloseTo(2 * (devices - 1) * 6000, 6);
      const all = Array.from({ length: devices }, (_, device) => device);
      expect(time).toBeLessThanOrEqual(allReduceTime(evenTopology(devices, link), all, 6000, algorithm) + 1e-9);
    }
  });

  it("of more ranks than messages are counted for takes what the formula says", () => {
    const wanted = 2 * 63 * (0.05 + 6000 / 64 / 1000);
    expect(reduced(64, 6000, "ring").time).toBeCloseTo(wanted, 9);
  });

  it("waits for a bus that is shared", () => {
    const plan = schedule(evenTopology(4, { ...link, shared: true }));
    addAllReduce(plan, { devices: [0, 1, 2, 3], bytes: 4000, algorithm: "ring", after: Array(4).fill(undefined) });
    expect(plan.run().time).toBeGreaterThanOrEqual(2 * 3 * 4 * 1);
  });
});

describe("a pipeline", () => {
  it.each([
    [2, 4],
    [4, 8],
    [4, 2],
    [8, 32],
  ])("of %i stages and %i micro-batches has a bubble of (p−1) / (m+p−1), in either order", (stages, microBatches) => {
    for (const order of ["gpipe", "1f1b"] as const) {
      const { time, bubble } = pipeline(stages, microBatches, order);
      expect(time).toBeCloseTo((microBatches + stages - 1) * 3, 9);
      expect(bubble).toBeCloseTo((stages - 1) / (microBatches + stages - 1), 9);
    }
  });

  it("keeps all micro-batches by GPipe, and as many as stages are left by 1F1B", () => {
    const peaks = (order: PipelineOrder) => pipeline(4, 16, order).devices.map(({ peakBytes }) => peakBytes - 100);
    expect(peaks("gpipe")).toEqual([160, 160, 160, 160]);
    expect(peaks("1f1b")).toEqual([40, 30, 20, 10]);
  });

  it("sends every boundary forward and back", () => {
    const stages = [0, 1, 2].map(() => ({ ...stage, boundary: 500 }));
    const { devices, time } = simulateStep(evenTopology(3, link), { stages, microBatches: 4 });
    expect(devices.map(({ sentBytes }) => sentBytes)).toEqual([2000, 4000, 2000]);
    expect(time).toBeGreaterThan((4 + 3 - 1) * 3);
  });

  it("is as slow as its slowest device", () => {
    const { time } = pipeline(2, 100, "1f1b", { speeds: [1, 0.5] });
    expect(time).toBeGreaterThanOrEqual(100 * 6);
    expect(time).toBeLessThan(102 * 6);
  });
});

describe("replicas", () => {
  const layers = { ...stage, backward: [1, 2, 3, 4].map(() => ({ time: 2, bytes: 4000 })) };
  const step = (options: Partial<MeshStepOptions> = {}) =>
    simulateStep(evenTopology(4, link), { stages: [layers], replicas: 4, ...options });
  const exchange = 2 * 3 * (0.05 + 1);

  it("exchange gradients behind the backward pass, or beside it", () => {
    expect(step({ overlap: false }).time).toBeCloseTo(1 + 8 + 4 * exchange - 3 * 6 * 0.05, 0);
    expect(step().time).toBeLessThan(step({ overlap: false }).time);
    expect(step().time).toBeGreaterThanOrEqual(1 + 8 + exchange);
  });

  it("send less when compressed, and less often with local steps", () => {
    const bytes = (options: Partial<MeshStepOptions>) => step(options).devices[0]!.sentBytes;
    const whole = (2 * 3 * 16000) / 4;
    expect([bytes({}), bytes({ compression: { ratio: 10, time: 0 } }), bytes({ localSteps: 8 })]).toEqual([
      whole,
      whole / 10,
      whole,
    ]);
    const { time, stepTime } = step({ localSteps: 8 });
    expect(stepTime).toBe(time / 8);
    expect(stepTime).toBeLessThan(step().time);
    expect(step({ compression: { ratio: 10, time: 100 } }).time).toBeGreaterThan(100);
  });

  it("of stages exchange among the devices of a stage", () => {
    const { devices } = simulateStep(evenTopology(6, link), { stages: [stage, stage], replicas: 3, microBatches: 2 });
    for (const { sentBytes } of devices) expect(sentBytes).toBeCloseTo((2 * 2 * 4000) / 3, 9);
  });

  it("have to be as many as devices", () => {
    expect(() => simulateStep(evenTopology(5, link), { stages: [stage, stage], replicas: 2 })).toThrow(
      "2 stages × 2 replicas = 4 devices; got 5",
    );
    expect(() => step({ localSteps: 0 })).toThrow("localSteps");
  });

  it("are 4,096 as well", () => {
    const { time, devices } = simulateStep(evenTopology(4096, link, { perHost: 8 }), {
      stages: [layers],
      replicas: 4096,
    });
    expect(devices).toHaveLength(4096);
    expect(time).toBeGreaterThan(2 * 4095 * 0.05);
  });
});

describe("a parameter server", () => {
  it("takes 2 (N n / (S β) + α) for N workers", () => {
    const time = (servers: number) =>
      simulateServerStep(evenTopology(8 + servers, link), { servers, compute: 3, bytes: 4000 }).time;
    expect(time(1)).toBeCloseTo(3 + 2 * (8 * 4 + 0.05), 9);
    expect(time(4)).toBeCloseTo(3 + 2 * (8 + 0.05), 9);
  });
});

/** @file A network with branches whose branches are spread over devices. */
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { type Link, type ReductionName, reductions } from "./reductions.ts";
import { type Schedule, schedule } from "./schedule.ts";
import { evenTopology } from "./topology.ts";

/** Milliseconds of one run: `fixed` + `branch` for every branch that a device owns. */
export interface RunCost {
  readonly kind: "run";
  readonly branches: number;
  readonly fixed: number;
  readonly branch: number;
}

export interface SumCost {
  readonly kind: "sum";
  readonly bytes: number;
  /** Whether every device has a term, or one broadcasts. */
  readonly terms: "all" | "one";
}

/** Costs of the steps that `partitionBranches` makes, in order. */
export interface NetworkCost {
  readonly steps: readonly (RunCost | SumCost)[];
  /** Milliseconds of a run of nothing, which one device pays once and others once in every step. */
  readonly call: number;
}

export interface Simulation {
  readonly devices: number;
  /** Milliseconds from the feeds to the results. */
  readonly latency: number;
  /** Of these, those in which devices add up. */
  readonly exchange: number;
  /** Milliseconds in which a device is busy, over all devices. */
  readonly work: number;
}

export interface SimulateOptions {
  readonly link: Link;
  /** How devices add up; default `doubling`. */
  readonly reduction?: ReductionName;
}

const simulateOptionsNames: OptionNames<SimulateOptions> = { link: true, reduction: true };

/**
 * Devices alike, each with a core and memory of its own; every device runs its share of a stage's n branches, ⌈n/k⌉ at most, and waits at every sum
 * for the slowest:
 * latency(k) = Σ (fixed + ⌈n/k⌉ · branch) + Σ reduction(k, bytes).
 * What runs between the branches is counted on every device.
 */
export function simulate(cost: NetworkCost, devices: number, options: SimulateOptions): Simulation {
  const { link, reduction = "doubling" } = checkOptions(options, simulateOptionsNames);
  checkCount("devices", devices);
  if (devices === 1) {
    const latency = aloneOn(cost);
    return { devices, latency, exchange: 0, work: latency };
  }
  const plan = schedule(evenTopology(devices, link));
  const all = Array.from({ length: devices }, (_, device) => device);
  const last: (number | undefined)[] = all.map(() => undefined);
  let exchange = 0;
  for (const step of cost.steps) {
    if (step.kind === "run") {
      addRun(plan, step, last);
      continue;
    }
    const algorithm = step.terms === "one" ? "doubling" : reduction;
    const time = reductions[algorithm](devices, step.bytes, link);
    exchange += time;
    last.fill(plan.together(all, "sum", time, step.bytes, last));
  }
  const { time, devices: uses } = plan.run();
  const computed = uses.reduce((sum, { busy }) => sum + busy, 0);
  return { devices, latency: time, exchange, work: computed + devices * exchange };
}

/** A run without branches is the first device's. */
function addRun(plan: Schedule, { branches, fixed, branch }: RunCost, last: (number | undefined)[]): void {
  const count = last.length;
  const boundary = (device: number): number => Math.ceil((device * branches) / count);
  for (let device = 0; device < (branches > 0 ? count : 1); device++) {
    const owned = boundary(device + 1) - boundary(device);
    last[device] = plan.compute(device, "run", fixed + owned * branch, [last[device]]);
  }
}

/** One device runs everything in one call. */
function aloneOn({ steps, call }: NetworkCost): number {
  const runs = steps.filter((step) => step.kind === "run");
  const total = runs.reduce((sum, { fixed, branch, branches }) => sum + fixed + branches * branch, 0);
  return total - (runs.length - 1) * call;
}

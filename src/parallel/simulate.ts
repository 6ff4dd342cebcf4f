import { checkCount, checkOptions, type OptionNames } from "../options.ts";
import { type Link, type ReductionName, reductions } from "./reductions.ts";

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
 * Devices alike, each with a core and memory of its own; every device runs ⌈n/k⌉ of a stage's n branches, and a step
 * takes as long as its slowest device:
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
  let [computed, exchange, work] = [0, 0, 0];
  for (const step of cost.steps) {
    if (step.kind === "sum") {
      const time =
        step.terms === "one"
          ? reductions.doubling(devices, step.bytes, link)
          : reductions[reduction](devices, step.bytes, link);
      exchange += time;
      work += devices * time;
    } else {
      computed += step.fixed + Math.ceil(step.branches / devices) * step.branch;
      work += (step.branches > 0 ? devices : 1) * step.fixed + step.branches * step.branch;
    }
  }
  return { devices, latency: computed + exchange, exchange, work };
}

/** One device runs everything in one call. */
function aloneOn({ steps, call }: NetworkCost): number {
  const runs = steps.filter((step) => step.kind === "run");
  const total = runs.reduce((sum, { fixed, branch, branches }) => sum + fixed + branches * branch, 0);
  return total - (runs.length - 1) * call;
}

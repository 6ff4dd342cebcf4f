/** @file Training steps with servers that keep the parameters. */
import { nth } from "../../checked.ts";
import { checkCount, checkOptions, type OptionNames } from "../../options.ts";
import { type Simulated, schedule } from "./schedule.ts";
import type { Topology } from "./topology.ts";

export interface ServerStepOptions {
  /** The first devices, each of which keeps its part of the parameters; the others are workers. */
  readonly servers: number;
  /** Milliseconds that a worker computes. */
  readonly compute: number;
  /** Bytes of all gradients, and as many of parameters. */
  readonly bytes: number;
  /** Milliseconds that a server takes for its part of the update. */
  readonly update?: number;
}

const serverStepOptionsNames: OptionNames<ServerStepOptions> = {
  servers: true,
  compute: true,
  bytes: true,
  update: true,
};

/** A synchronous step: every worker computes and pushes a part to each server, which updates when it has all, and is pulled from. */
export function simulateServerStep(topology: Topology, options: ServerStepOptions): Simulated {
  const { servers, compute, bytes, update = 0 } = checkOptions(options, serverStepOptionsNames);
  const devices = topology.hosts.length;
  checkCount("servers", servers, { most: devices - 1 });
  const plan = schedule(topology);
  const workers = Array.from({ length: devices - servers }, (_, i) => servers + i);
  const pushes: number[][] = Array.from({ length: servers }, () => []);
  const computed = workers.map((worker) => plan.compute(worker, "compute", compute, []));
  for (let turn = 0; turn < servers; turn++) {
    workers.forEach((worker, place) => {
      const server = (place + turn) % servers;
      nth(pushes, server).push(plan.send(worker, server, bytes / servers, [computed[place]]));
    });
  }
  const updated = pushes.map((came, server) => plan.compute(server, "update", update, came));
  for (let turn = 0; turn < workers.length; turn++) {
    updated.forEach((task, server) => {
      plan.send(server, nth(workers, (server + turn) % workers.length), bytes / servers, [task]);
    });
  }
  return plan.run();
}

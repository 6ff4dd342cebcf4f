/** @file What `lithe plan` says to people. */
import type { Cluster, PlanRow, TrainingPlan } from "../distributed/index.ts";
import type { Console } from "../job/console.ts";
import { formatBytes } from "../report/index.ts";
import { table } from "./text-table.ts";

/** Prints the best plan, its stages, and those behind it with what limits each. */
export function showPlan(
  { plans, stages, devices, tooLarge, tooSlow }: TrainingPlan,
  cluster: Cluster,
  { say }: Console,
): void {
  const [best, ...others] = plans;
  if (!best) return;
  say(
    `${sentenceOf(best)} of ${cluster.memory.length}: ${best.step.toPrecision(3)} ms an update, ${rate(best)} samples a second`,
  );
  say(
    `${whyOf(best)}; ${formatBytes(best.memoryBytes)} on a device, ${formatBytes(best.sentBytes)} sent by a rank in an update`,
  );
  say("");
  const headings = [
    "stages",
    "replicas",
    "micro-batches",
    "devices",
    "all-reduce",
    "compressed",
    "ms",
    "memory",
    "sent",
    "limited by",
  ];
  for (const line of table(headings, plans.map(rowOf))) say(line);
  say("");
  const rows = stages.map(({ first, last, nodes, forward, parameterBytes }, stage) => [
    stage,
    devices.filter((_, place) => place % stages.length === stage).join(" "),
    `${first} to ${last}`,
    nodes,
    forward.toPrecision(3),
    formatBytes(parameterBytes),
  ]);
  for (const line of table(["stage", "devices", "nodes from and to", "nodes", "forward ms", "parameters"], rows))
    say(line);
  say("");
  say(`${others.length} plans behind it are told; ${tooSlow} are slower, ${tooLarge} do not fit in memory.`);
  say("Figures are a simulation's: computing by rates, messages by latency and bandwidth.");
}

function sentenceOf({ stages, replicas, microBatches, microBatch, devices }: PlanRow): string {
  const cut = stages === 1 ? "whole" : `in ${stages} stages`;
  return `${replicas} × the network ${cut}, ${microBatches} micro-batches of ${microBatch}, on ${devices} devices`;
}

function whyOf({ limit, parts, step }: PlanRow): string {
  const share = (part: number): string => `${Math.round((100 * part) / step)} %`;
  const said = { computing: "computing", waiting: "waiting for other stages or devices", messages: "messages" }[limit];
  return `limited by ${said}: computing ${share(parts.computing)}, waiting ${share(parts.waiting)}, messages ${share(parts.messages)}`;
}

function rowOf(plan: PlanRow): (string | number)[] {
  const { stages, replicas, microBatches, devices, placement, allReduce, compression } = plan;
  return [
    stages,
    replicas,
    microBatches,
    stages > 1 && replicas > 1 ? `${devices}, ${placement}` : `${devices}`,
    replicas > 1 ? allReduce : "–",
    compression > 1 ? `${compression} ×` : "–",
    plan.step.toPrecision(3),
    formatBytes(plan.memoryBytes),
    formatBytes(plan.sentBytes),
    whyOf(plan).replace("limited by ", ""),
  ];
}

function rate({ samplesPerSecond }: PlanRow): string {
  return samplesPerSecond.toPrecision(3);
}

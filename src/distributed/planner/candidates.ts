/** @file The plans that are looked at. */
import { nth } from "../../checked.ts";
import type { Cluster } from "./cluster.ts";

/** Which devices a replica has: neighbours, so that its stages are close, or every so-manieth, so that replicas of a stage are. */
export type Placement = "stages together" | "replicas together";

export interface Candidate {
  readonly stages: number;
  readonly replicas: number;
  readonly microBatches: number;
  readonly placement: Placement;
  /** What gradients' bytes are divided by; 1 is none. */
  readonly compression: number;
}

export interface CandidateSpace {
  readonly cluster: Cluster;
  /** Samples of an update, over all replicas. */
  readonly batch: number;
  /** The most stages that the network can be cut into. */
  readonly mostStages: number;
  /** Ratios of compression that are allowed beside none. */
  readonly compressions: readonly number[];
}

/** Micro-batches for each stage. */
const MICRO_BATCHES = [1, 2, 4, 8];

/** Counts of replicas and stages are powers of two, or use all devices. */
export function candidatesOf({ cluster, batch, mostStages, compressions }: CandidateSpace): Candidate[] {
  const { hosts } = cluster.topology;
  const hostCount = new Set(hosts).size;
  const found: Candidate[] = [];
  for (const stages of countsUpTo(Math.min(hosts.length, mostStages))) {
    for (const replicas of countsUpTo(Math.floor(hosts.length / stages))) {
      if (batch % replicas !== 0) continue;
      const counts = stages === 1 ? [1, 2, 4, 8] : MICRO_BATCHES.map((count) => count * stages);
      const isOneOfTwo = hostCount > 1 && stages > 1 && replicas > 1;
      for (const microBatches of counts) {
        if ((batch / replicas) % microBatches !== 0) continue;
        for (const placement of isOneOfTwo ? placements : placements.slice(0, 1)) {
          for (const compression of replicas > 1 ? [1, ...compressions] : [1]) {
            found.push({ stages, replicas, microBatches, placement, compression });
          }
        }
      }
    }
  }
  return found;
}

const placements: readonly Placement[] = ["stages together", "replicas together"];

function countsUpTo(most: number): number[] {
  const powers = Array.from({ length: Math.floor(Math.log2(most)) + 1 }, (_, exponent) => 2 ** exponent);
  return [...new Set([...powers, most])];
}

/** The devices of a plan: the one at r·S + s has stage s of replica r. */
export function devicesOf({ stages, replicas, placement }: Candidate): number[] {
  return Array.from({ length: stages * replicas }, (_, place) => {
    const [replica, stage] = [Math.floor(place / stages), place % stages];
    return placement === "stages together" ? place : stage * replicas + replica;
  });
}

/** The part of a cluster that a plan uses, in the order of its devices. */
export function usedBy(candidate: Candidate, { topology, memory, speeds }: Cluster) {
  const devices = devicesOf(candidate);
  return {
    topology: { ...topology, hosts: devices.map((device) => nth(topology.hosts, device)) },
    memory: devices.map((device) => nth(memory, device)),
    speeds: devices.map((device) => nth(speeds, device)),
  };
}

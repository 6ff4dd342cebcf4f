/** @file A cluster as a file describes it. */
import * as z from "zod";
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import type { LevelLink, Topology } from "../simulator/index.ts";

/** Devices that a plan is made for, at most. */
export const MOST_DEVICES = 256;

const linkSchema = z.strictObject({
  latencyMicroseconds: z.number().min(0),
  gigabytesPerSecond: z.number().positive(),
  /** One message at a time on the bus of the host, or on the switch between hosts. */
  shared: z.boolean().exactOptional(),
});

const ratesSchema = z.strictObject({
  /** 10⁹ multiply-accumulates of products and convolutions per second. */
  gigaMacsPerSecond: z.number().positive(),
  /** 10⁹ elementwise operations per second. */
  gigaElementsPerSecond: z.number().positive(),
  /** What every node takes beside its work. */
  microsecondsPerNode: z.number().min(0).default(2),
});

export const clusterSchema = z.strictObject({
  hosts: z
    .array(
      z.strictObject({
        count: z.int().min(1).default(1),
        devices: z.int().min(1),
        /** Of each device. */
        memoryGigabytes: z.number().positive(),
        /** How fast its devices compute, as a factor of the rates. */
        speed: z.number().positive().default(1),
      }),
    )
    .min(1),
  /** Between devices of a host. */
  inside: linkSchema,
  /** Between hosts. */
  between: linkSchema,
  /** Of a device of speed 1. */
  rates: ratesSchema.exactOptional(),
});

export type Rates = z.output<typeof ratesSchema>;

export interface Cluster {
  readonly topology: Topology;
  /** By device. */
  readonly memory: readonly number[];
  readonly speeds: readonly number[];
  readonly rates?: Rates;
}

/**
 * Checks what a file says of a cluster; the units are in the names.
 *
 * @throws UsageError that says what is wrong, and where
 */
export function clusterFrom(described: unknown): Cluster {
  const parsed = clusterSchema.safeParse(described);
  if (!parsed.success) {
    const { message, path } = nth(parsed.error.issues, 0);
    throw new UsageError("this is no description of a cluster", {
      got: message,
      where: path.join(".") || "the whole file",
    });
  }
  const { hosts, inside, between, rates } = parsed.data;
  const each = hosts.flatMap(({ count, ...host }) => Array.from({ length: count }, () => host));
  const devices = each.flatMap((host, index) => Array.from({ length: host.devices }, () => ({ ...host, index })));
  if (devices.length > MOST_DEVICES) {
    throw new UsageError("a plan is made for fewer devices", {
      expected: `at most ${MOST_DEVICES}`,
      got: String(devices.length),
    });
  }
  return {
    topology: { hosts: devices.map(({ index }) => index), inside: linkOf(inside), between: linkOf(between) },
    memory: devices.map(({ memoryGigabytes }) => memoryGigabytes * 1e9),
    speeds: devices.map(({ speed }) => speed),
    ...(rates && { rates }),
  };
}

function linkOf({ latencyMicroseconds, gigabytesPerSecond, shared }: z.output<typeof linkSchema>): LevelLink {
  return { latency: latencyMicroseconds / 1e3, bandwidth: gigabytesPerSecond * 1e6, ...(shared && { shared }) };
}

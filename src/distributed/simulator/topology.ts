/** @file Devices on hosts, and the links between them as resources that messages occupy. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { checkCount } from "../../options.ts";
import type { Link } from "./reductions.ts";

/** Of the links of one level. */
export interface LevelLink extends Link {
  /** One message at a time: a bus within a host, one switch between hosts. Default: a way in and a way out for each device or host. */
  readonly shared?: boolean;
}

export interface Topology {
  /** The host of each device, counted from 0. */
  readonly hosts: readonly number[];
  /** Between two devices of a host. */
  readonly inside: LevelLink;
  /** Between two hosts. */
  readonly between: LevelLink;
}

/** So many devices alike, `perHost` on each host, which all see the same link unless another one is given between hosts. */
export function evenTopology(
  devices: number,
  inside: LevelLink,
  { perHost = devices, between = inside }: { readonly perHost?: number; readonly between?: LevelLink } = {},
): Topology {
  checkCount("devices", devices);
  checkCount("perHost", perHost);
  return { hosts: Array.from({ length: devices }, (_, device) => Math.floor(device / perHost)), inside, between };
}

/** @throws UsageError for a latency below 0 and a bandwidth that is none */
export function checkLink({ latency, bandwidth }: Link): void {
  if (latency >= 0 && Number.isFinite(latency) && bandwidth > 0) return;
  throw new UsageError("a link has a latency of at least 0 and a bandwidth above 0", {
    got: `${latency} ms, ${bandwidth} bytes per ms`,
  });
}

/** Where a message goes. */
export interface Route {
  readonly on: readonly number[];
  readonly link: Link;
}

/** Resources: a device's processor, its way out and its way in; a host's way out and in, and its bus; the switch of all. */
export function resourcesOf({ hosts, inside, between }: Topology) {
  checkLink(inside);
  checkLink(between);
  const devices = hosts.length;
  const hostCount = 1 + hosts.reduce((most, host) => Math.max(most, host), 0);
  const [out, into] = [devices, 2 * devices];
  const hostOut = 3 * devices;
  const [hostInto, bus] = [hostOut + hostCount, hostOut + 2 * hostCount];
  const wholeSwitch = bus + hostCount;
  return {
    count: wholeSwitch + 1,
    devices,
    processor: (device: number) => device,
    /** Every way that a device's messages take, for operations of all. */
    waysOf: (device: number) => [out + device, into + device],
    route(from: number, to: number): Route {
      const [source, target] = [nth(hosts, from), nth(hosts, to)];
      const ends = [out + from, into + to];
      if (source === target) return { link: inside, on: inside.shared ? [...ends, bus + source] : ends };
      const ways = between.shared ? [wholeSwitch] : [hostOut + source, hostInto + target];
      return { link: between, on: [...ends, ...ways] };
    },
  };
}

export type Resources = ReturnType<typeof resourcesOf>;

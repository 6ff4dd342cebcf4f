/** @file Reads the runtime's profile. */
import { RuntimeError } from "../errors.ts";
import type { NodeProfile } from "./session.ts";

interface Event {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
  readonly args?: { readonly op_name?: string; readonly provider?: string };
}

const KERNEL = "_kernel_time";

/** Sums the kernel times of a profile in the Chrome trace format by node, slowest first. */
export function nodeTimes(text: string): NodeProfile[] {
  const events: unknown = JSON.parse(text);
  if (!Array.isArray(events)) throw new RuntimeError("the profile is not a list of events");
  const nodes = new Map<string, { -readonly [K in keyof NodeProfile]: NodeProfile[K] }>();
  for (const { cat, name, dur, args } of events as readonly Event[]) {
    if (cat !== "Node" || !name?.endsWith(KERNEL)) continue;
    const node = name.slice(0, -KERNEL.length);
    const opType = args?.op_name ?? "";
    const provider = args?.provider ?? "";
    const key = `${node}\n${opType}\n${provider}`;
    const entry = nodes.get(key) ?? { name: node, opType, provider, calls: 0, micros: 0 };
    entry.calls++;
    entry.micros += dur ?? 0;
    nodes.set(key, entry);
  }
  return [...nodes.values()].sort((a, b) => b.micros - a.micros);
}

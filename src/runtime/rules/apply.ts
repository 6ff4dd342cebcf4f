/** @file Applies the rules to a model that is about to be loaded. */
import { allNodes, type Model } from "../../ir/index.ts";
import { rules } from "./index.ts";
import type { Rule, Target } from "./rule.ts";

export interface Prepared {
  readonly model: Model;
  readonly config: ReadonlyMap<string, string>;
  readonly cpuNodes: readonly string[];
  /** What the runtime will do to the model although nobody asked for it. */
  readonly notices: readonly string[];
}

/** Applies every rule to a model that is about to be loaded. */
export function applyRules(model: Model, target: Target): Prepared {
  const table: readonly Rule[] = Object.values(rules);
  for (const { check } of table) check?.(model, target);
  const safe = table.reduce((current, { rewrite }) => rewrite?.(current, target) ?? current, model);
  const config = new Map<string, string>();
  for (const rule of table) {
    const entry = target.stock && !rule.always ? undefined : rule.config?.(safe, target);
    if (entry) config.set(entry[0], joined(config.get(entry[0]), entry[1]));
  }
  for (const [key, value] of target.config) config.set(key, value);
  const notices = table.flatMap(({ notice }) => notice?.(model, target) ?? []);
  return { model: safe, config, cpuNodes: cpuNodes(safe, target, table), notices };
}

/** Several rules may leave an optimiser out each. */
function joined(known: string | undefined, value: string): string {
  return known === undefined ? value : `${known};${value}`;
}

function cpuNodes(model: Model, { ep }: Target, table: readonly Rule[]): string[] {
  if (ep !== "webgpu") return [];
  return [...allNodes(model)]
    .filter((node) => table.some(({ cpuNode }) => cpuNode?.(node, model)))
    .map(({ name }) => name);
}

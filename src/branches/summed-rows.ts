/** @file Which values of branches are needed as their sum alone. */
import { nth } from "../checked.ts";
import { type Node, qualifiedName, type Value } from "../ir/index.ts";
import { fusionRules } from "./rules/index.ts";

/**
 * Rows whose outputs nothing needs but the sum, going from the sum of `output` against the edges through operators that
 * are linear: Σ(a + b) = Σa + Σb.
 */
export function summedRows(
  rows: readonly Node[],
  output: Value,
  isCommon: (value: Value | undefined) => boolean,
): ReadonlySet<number> {
  const places = new Map<Value | undefined, number>();
  const reads = new Map<Value | undefined, number>();
  rows.forEach((node, i) => {
    for (const value of node.outputs) places.set(value, i);
    for (const value of node.inputs) reads.set(value, (reads.get(value) ?? 0) + 1);
  });
  const summed = new Set<number>();
  const pending: [Value | undefined, readers: number][] = [[output, 0]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [value, readers] = next;
    const place = places.get(value);
    if (place === undefined || isCommon(value) || (reads.get(value) ?? 0) > readers) continue;
    const node = nth(rows, place);
    if (node.outputs.length !== 1) continue;
    const rule = fusionRules.get(qualifiedName(node))?.sum;
    const through = rule?.through(node, (input) => isCommon(node.inputs[input]));
    if (!through) continue;
    summed.add(place);
    for (const input of through) pending.push([node.inputs[input], 1]);
  }
  return summed;
}

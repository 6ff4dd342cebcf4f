/** @file What `lithe inspect` says to people. */

import type { Console } from "../job/console.ts";
import type { Inspection } from "../job/model/inspection.ts";
import type { MeasuredWork } from "../job/model/measured-work.ts";
import { formatBytes, formatCount } from "../report/index.ts";
import { table } from "./text-table.ts";

/** Prints the facts; `layers` adds a line for every node that computes. */
export function showInspection(
  facts: Inspection,
  measured: MeasuredWork | undefined,
  layers: boolean,
  { say }: Console,
): void {
  say(
    `${formatBytes(facts.bytes)}, opset ${facts.opset}, ${facts.nodes} nodes, made by ${facts.producer || "an unnamed tool"}`,
  );
  say(
    `${formatCount(facts.parameters)} parameters, ${rangeText(facts.work)} multiply-accumulates, sha256 ${facts.sha256.slice(0, 16)}…`,
  );
  for (const { name, ...once } of facts.work.loops)
    say(`loop ${name}: ${rangeText(once)} multiply-accumulates per iteration; how many there are, the data decide`);
  if (measured) showMeasured(measured, say);
  if (facts.work.unboundedNodes > 0)
    say(`The cost of ${facts.work.unboundedNodes} nodes is not known; give symbolic dims with --dims.`);
  for (const { name, type } of facts.inputs) say(`input  ${name}: ${type}`);
  for (const { name, type } of facts.outputs) say(`output ${name}: ${type}`);
  say("");
  const rows = facts.operators.map(({ opType, nodes, parameters, macs }) => [opType, nodes, parameters, macs]);
  for (const line of table(["operator", "nodes", "parameters", "MACs"], rows)) say(line);
  if (layers) {
    say("");
    const list = facts.layers.map(({ name, opType, parameters, macs }) => [name, opType, parameters, macs ?? "?"]);
    for (const line of table(["layer", "operator", "parameters", "MACs"], list)) say(line);
  }
  for (const { where, message } of facts.problems) say(`problem: ${where}: ${message}`);
}

function showMeasured({ mean, least, most, runs, samples, uncountedNodes }: MeasuredWork, say: Console["say"]): void {
  const span = least === most ? "in every one" : `from ${formatCount(least)} to ${formatCount(most)}`;
  say(
    `${formatCount(Math.round(mean))} multiply-accumulates a run on average, ${span}: ${runs} runs, ${samples} samples`,
  );
  if (uncountedNodes > 0) say(`The work of ${uncountedNodes} nodes could not be counted and is in none of these.`);
}

function rangeText({ least, most }: { readonly least: number; readonly most: number | null }): string {
  if (most === null) return `${formatCount(least)} or more`;
  return least === most ? formatCount(least) : `${formatCount(least)} to ${formatCount(most)}`;
}

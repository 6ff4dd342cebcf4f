/** @file `lithe inspect MODEL`: what it is made of. */
import type { Command } from "commander";
import { loadModel } from "../onnx/files.ts";
import { formatBytes, formatCount } from "../report/index.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { type Inspection, inspection } from "./inspection.ts";
import { fingerprint } from "./model-file.ts";
import { parseDims } from "./options.ts";
import { table } from "./text-table.ts";

interface InspectOptions {
  readonly dims: ReadonlyMap<string, number>;
  readonly layers?: boolean;
}

function declare(command: Command): void {
  command
    .argument("<model>", "an .onnx file")
    .option("--dims <list>", "lengths of symbolic dims, `batch=1,length=128`", parseDims, new Map())
    .option("--layers", "one line per node that computes");
}

async function run(
  [path]: readonly string[],
  options: Readonly<Record<string, unknown>>,
  console: Console,
): Promise<Outcome> {
  const { dims, layers } = options as unknown as InspectOptions;
  const model = await loadModel(path!);
  const facts = inspection(model, await fingerprint(path!), dims);
  if (!console.json) show(facts, layers === true, console);
  return { result: facts, ok: facts.problems.length === 0 };
}

function show(facts: Inspection, layers: boolean, { say }: Console): void {
  say(
    `${formatBytes(facts.bytes)}, opset ${facts.opset}, ${facts.nodes} nodes, made by ${facts.producer || "an unnamed tool"}`,
  );
  say(
    `${formatCount(facts.parameters)} parameters, ${formatCount(facts.macs)} multiply-accumulates, sha256 ${facts.sha256.slice(0, 16)}…`,
  );
  if (facts.unknownNodes > 0)
    say(`The cost of ${facts.unknownNodes} nodes is not known; give symbolic dims with --dims.`);
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

export const command: CommandModule = { declare, run };

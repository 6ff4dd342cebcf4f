/** @file `lithe inspect MODEL`: what it is made of. */
import type { Command } from "commander";
import { formatType, type Model, opsetOf, verify } from "../ir/index.ts";
import { loadModel } from "../onnx/files.ts";
import { costOf, inferModel, type ModelCost } from "../ops/index.ts";
import { formatBytes, formatCount } from "../report/index.ts";
import type { CommandModule, Console, Outcome } from "./command.ts";
import { fingerprint } from "./load.ts";
import { parseDims } from "./options.ts";
import { table } from "./terminal.ts";

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

/** Everything that can be said without running the model. */
function inspection(model: Model, file: { sha256: string; bytes: number }, dims: ReadonlyMap<string, number>) {
  const { types } = inferModel(model, { symbols: dims });
  const cost = costOf(model, { dims });
  const port = (value: Model["graph"]["inputs"][number]) => ({
    name: value.name,
    type: formatType(types.get(value) ?? value.type),
  });
  return {
    ...file,
    irVersion: model.irVersion,
    opset: opsetOf(model),
    domains: Object.fromEntries([...model.opsets].filter(([domain]) => domain !== "")),
    producer: [model.producerName, model.producerVersion].filter(Boolean).join(" "),
    nodes: model.graph.nodes.length,
    parameters: cost.params,
    macs: cost.macs,
    weightBytes: cost.bytes.weights,
    activationBytes: cost.bytes.activations,
    unknownNodes: cost.unknown.length,
    inputs: model.graph.inputs.filter((value) => !model.graph.initializers.has(value)).map(port),
    outputs: model.graph.outputs.map(port),
    operators: operatorCounts(cost),
    layers: layerCosts(cost),
    problems: verify(model),
  };
}

type Inspection = ReturnType<typeof inspection>;

function operatorCounts({ byNode }: ModelCost) {
  const counts = new Map<string, { opType: string; nodes: number; parameters: number; macs: number }>();
  for (const { opType, params, macs } of byNode) {
    const entry = counts.get(opType) ?? { opType, nodes: 0, parameters: 0, macs: 0 };
    counts.set(opType, {
      opType,
      nodes: entry.nodes + 1,
      parameters: entry.parameters + params,
      macs: entry.macs + (macs ?? 0),
    });
  }
  return [...counts.values()].sort((a, b) => b.macs - a.macs || b.nodes - a.nodes);
}

function layerCosts({ byNode }: ModelCost) {
  return byNode
    .filter(({ params, macs }) => params > 0 || macs !== 0)
    .map(({ node, opType, params, macs, bytes }) => ({
      name: node.name || (node.outputs[0]?.name ?? ""),
      opType,
      parameters: params,
      macs: macs ?? null,
      weightBytes: bytes.weights,
    }));
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

/** @file Everything that can be said about a model without running it. */
import { UsageError } from "../../errors.ts";
import { formatType, type Model, type Node, opsetOf, verify } from "../../ir/index.ts";
import { type CostOptions, costOf, inferModel, type ModelCost, type WorkRange, workOf } from "../../ops/index.ts";

/** The facts of `lithe inspect`, as `--json` prints them. */
export type Inspection = ReturnType<typeof inspection>;

/**
 * `dims` gives lengths to symbolic dims, `feeds` the dims of inputs.
 *
 * @throws UsageError for a dim that no value of the model has
 */
export function inspection(
  model: Model,
  file: { sha256: string; bytes: number },
  dims: ReadonlyMap<string, number>,
  feeds: NonNullable<CostOptions["feeds"]> = new Map(),
) {
  checkDims(model, dims);
  const { types } = inferModel(model, { symbols: dims });
  const cost = costOf(model, { dims, feeds });
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
    work: workFacts(model, { dims, feeds }),
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

/** The least and the most multiply-accumulates of a run; `null` where nothing bounds them. */
function workFacts(model: Model, options: CostOptions) {
  const range = ({ least, most }: WorkRange) => ({ least, most: most ?? null });
  const { loops, unbounded, ...whole } = workOf(model, options);
  return {
    ...range(whole),
    unboundedNodes: unbounded.length,
    loops: loops.map(({ node, ...once }) => ({ name: nameOf(node), ...range(once) })),
  };
}

function nameOf({ name, outputs }: Node): string {
  return name || (outputs[0]?.name ?? "");
}

function checkDims(model: Model, dims: ReadonlyMap<string, number>): void {
  if (dims.size === 0) return;
  const { types } = inferModel(model);
  const all = [...model.graph.inputs.map(({ type }) => type), ...types.values()];
  const known = new Set(all.flatMap((type) => (type?.kind === "tensor" ? (type.dims ?? []) : [])));
  const unknown = [...dims.keys()].find((name) => !known.has(name));
  if (unknown === undefined) return;
  const names = [...known].filter((dim) => typeof dim === "string");
  throw new UsageError("the model has no such symbolic dim", {
    expected: names.length > 0 ? names.map((name) => JSON.stringify(name)).join(", ") : "no --dims, as all are numbers",
    got: JSON.stringify(unknown),
    where: "--dims",
  });
}

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
      name: nameOf(node),
      opType,
      parameters: params,
      macs: macs ?? null,
      weightBytes: bytes.weights,
    }));
}

/** @file Puts the bodies of model functions in the place of their calls. */
import { nth } from "../checked.ts";
import { UnsupportedError } from "../errors.ts";
import {
  describeNode,
  type Graph,
  type Model,
  mapSubgraphs,
  type Names,
  type Node,
  namesOf,
  opsetOf,
  type Value,
} from "../ir/index.ts";
import { type Callable, callableOf, type FunctionTable, functionTable, specOf } from "../ops/index.ts";

/**
 * The model without functions; the same object when it has none. A body may be written for other opset versions than the
 * model as long as its operators are defined alike in both.
 *
 * @throws UnsupportedError where they are not.
 */
export function inlineFunctions(model: Model): Model {
  if (model.functions.length === 0) return model;
  const table = functionTable(model);
  const context: Context = { model, table, names: namesOf(model) };
  const opsets = new Map([...model.functions.flatMap((f) => [...f.opsets]), ...model.opsets]);
  return { ...model, opsets, functions: [], graph: inlined(context, model.graph) };
}

interface Context {
  readonly model: Model;
  readonly table: FunctionTable;
  readonly names: Names;
}

function inlined(context: Context, graph: Graph): Graph {
  const inner = mapSubgraphs(graph, (subgraph) => inlined(context, subgraph));
  return { ...inner, nodes: inner.nodes.flatMap((node) => body(context, node)) };
}

function body(context: Context, node: Node): Node[] {
  const callable = callableOf(context.table, node);
  if (!callable) return [node];
  for (const inner of callable.nodes) checkVersion(context, callable, inner);
  const known = new Map<Value, Value | undefined>();
  callable.inputs.forEach((value, i) => void known.set(value, node.inputs[i]));
  callable.outputs.forEach((value, i) => void (node.outputs[i] && known.set(value, node.outputs[i])));
  const place = (value: Value): Value | undefined => {
    if (!known.has(value)) known.set(value, { ...value, name: context.names.fresh(value.name) });
    return known.get(value);
  };
  return callable.nodes.map((inner) => placed(inner, place)).flatMap((inner) => body(context, inner));
}

function placed(node: Node, place: (value: Value) => Value | undefined): Node {
  const move = (value: Value | undefined): Value | undefined => value && place(value);
  const required = (value: Value): Value => place(value) ?? value;
  const changed = { ...node, inputs: node.inputs.map(move), outputs: node.outputs.map(move) };
  const holder: Graph = { name: "", inputs: [], outputs: [], nodes: [changed], initializers: new Map() };
  const inGraph = (graph: Graph): Graph => ({
    ...graph,
    inputs: graph.inputs.map(required),
    outputs: graph.outputs.map(required),
    nodes: graph.nodes.map((inner) => placed(inner, place)),
    initializers: new Map([...graph.initializers].map(([value, data]) => [required(value), data])),
  });
  return nth(mapSubgraphs(holder, inGraph).nodes, 0);
}

/** The definition of an operator that holds at a version is the last one before it. */
function checkVersion({ model, table }: Context, { opsets }: Callable, node: Node): void {
  if (table.find(node)) return;
  const [own, outer] = [opsets.get(node.domain), opsetOf(model, node.domain)];
  const since = specOf(node)?.since ?? [];
  const definition = (version: number): number | undefined => since.filter((first) => first <= version).at(-1);
  if (own === undefined || outer === 0 || own === outer || definition(own) === definition(outer)) return;
  throw new UnsupportedError("a function is written for another opset than its model, so that it cannot be inlined", {
    expected: `opset ${outer}`,
    got: `opset ${own}`,
    where: describeNode(node),
  });
}

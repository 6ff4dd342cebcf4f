/** @file A model in which a layer that its gate skips is not computed. */
import { nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import {
  ancestors,
  forgetTypes,
  formatType,
  type Graph,
  graphAttribute,
  indexOf,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  producerOf,
  type Value,
  withGraph,
} from "../../../ir/index.ts";
import { dimsOf, extend } from "../../../nn/index.ts";
import { agreeInDims, inferShapes, requireSameOutputs } from "../../../ops/index.ts";
import { exclusive } from "../../lowering/exclusive.ts";
import { keepOutputs } from "../../lowering/keep-outputs.ts";
import { noWeights } from "../../lowering/no-weights.ts";
import { outputsNamed } from "../../lowering/outputs-named.ts";
import { withRoundedGates } from "../../lowering/round-gates.ts";
import { GATE } from "./skippable.ts";

/** Names of the outputs that are gates of `skippable` layers. */
export function gatesOf(model: Model): string[] {
  return outputsNamed(model, GATE);
}

/**
 * The model with each skippable layer in the branch of an `If`: it is computed when the gate of some sample is open, so one sample pays for
 * what it uses and a batch gets what samples get alone. Gates are outputs no more.
 *
 * @throws UsageError for a model without gates.
 */
export async function exportSkipping(model: Model): Promise<Model> {
  const gates = gatesOf(model);
  if (gates.length === 0) throw new UsageError("the model has no gates", { expected: `outputs named …/${GATE}` });
  const isOpen = gates.map((_, i) => `open/${i}`);
  const decided = extend(withRoundedGates(model, gates), noWeights, (n, value) => {
    gates.forEach((name, i) => {
      const most = n.op("ReduceMax", [value(name)], { keepdims: 0 });
      n.output(n.greater(most, 0.5), nth(isOpen, i));
    });
  });
  requireResidual(model, gates);
  const scope = namesOf(decided);
  const closed = gates.reduce<Graph>((graph, name, i) => branched(graph, name, nth(isOpen, i), scope), decided.graph);
  const side = new Set([...gates, ...isOpen]);
  const outputs = closed.outputs.filter(({ name }) => !side.has(name));
  const exported = await keepOutputs(withGraph(decided, closed), outputs);
  requireSameOutputs(model, exported);
  return exported;
}

/** A layer that is skipped gives x as it is: a sum in which x is spread over larger dims would lose them. */
function requireResidual(model: Model, gates: readonly string[]): void {
  const { graph } = inferShapes(forgetTypes(model));
  for (const gate of gates) {
    const { add, x } = layerOf(graph, gate);
    const sum = nth(add.outputs, 0);
    if (agreeInDims(dimsOf(x), dimsOf(sum))) continue;
    throw new UnsupportedError("a layer changes the dims of what it is added to, so it cannot be skipped", {
      expected: formatType(x.type),
      got: formatType(sum.type),
      where: `output ${JSON.stringify(gate)}`,
    });
  }
}

function branched(graph: Graph, gateName: string, openName: string, scope: Names): Graph {
  const { add, product, x } = layerOf(graph, gateName);
  const inner = exclusive(graph, product);
  const sum = nth(add.outputs, 0);
  const made: Value = { ...sum, name: scope.fresh("computed") };
  const kept: Value = { ...sum, name: scope.fresh("skipped") };
  const copy = makeNode("Identity", [x], [kept], { name: kept.name });
  const branch = (nodes: readonly Node[], output: Value) =>
    graphAttribute({ name: scope.fresh("branch"), inputs: [], outputs: [output], nodes, initializers: new Map() });
  const condition = graph.outputs.find(({ name }) => name === openName)!;
  const choice = makeNode("If", [condition], [sum], {
    name: scope.fresh("skip"),
    attributes: {
      then_branch: branch([...graph.nodes.filter((node) => inner.has(node)), { ...add, outputs: [made] }], made),
      else_branch: branch([copy], kept),
    },
  });
  const decision = ancestors([condition], (value) => producerOf(graph, value));
  const before = graph.nodes.slice(0, graph.nodes.indexOf(add)).filter((node) => !inner.has(node));
  const early = new Set([...before, ...decision]);
  const after = graph.nodes.filter((node) => !early.has(node) && !inner.has(node) && node !== add);
  const late = [...decision].filter((node) => !before.includes(node));
  return { ...graph, nodes: [...before, ...graph.nodes.filter((node) => late.includes(node)), choice, ...after] };
}

/** The product with the gate, and the sum that it goes into. */
function layerOf(graph: Graph, gateName: string): { readonly add: Node; readonly product: Node; readonly x: Value } {
  const { uses } = indexOf(graph);
  const output = graph.outputs.find(({ name }) => name === gateName)!;
  const source = producerOf(graph, output);
  const gate = source?.opType === "Identity" ? nth(source.inputs, 0) : output;
  const product = uses.get(gate)?.find(({ node }) => node?.opType === "Mul")?.node;
  const add = product && uses.get(nth(product.outputs, 0))?.find(({ node }) => node?.opType === "Add")?.node;
  const x = add?.inputs.find((value) => value !== product?.outputs[0]);
  if (add && product && x) return { add, product, x };
  throw new UnsupportedError("a gate does not stand before a residual sum", {
    expected: "x + f(x)·gate",
    where: `output ${JSON.stringify(gateName)}`,
  });
}

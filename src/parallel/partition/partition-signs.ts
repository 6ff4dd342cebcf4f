/** @file A network with layers of signs, cut where the kernel of their products takes over from the runtime. */
import { UnsupportedError } from "../../errors.ts";
import {
  fedInputs,
  type Graph,
  isConstantNode,
  type Model,
  maxOf,
  type Node,
  readsOf,
  type Value,
} from "../../ir/index.ts";
import { inferShapes } from "../../ops/index.ts";
import type { Partition } from "../../runtime/index.ts";
import { type PlannedStep, stepsFrom } from "./parts.ts";
import { type SignNode, signLayersOf } from "./sign-layers.ts";

/**
 * Layers that sum signs with weights of two levels become steps of their own, on one rank; what stands between them is left to the runtime.
 * The result equals the model within rounding: sums of signs are whole numbers, to which the kernel comes exactly. It does not pay
 * everywhere; time it against the model.
 *
 * @throws UnsupportedError for a model without such layers
 */
export function partitionSigns(model: Model): Partition {
  const typed = inferShapes(model);
  const { graph } = typed;
  const layers = signLayersOf(graph);
  if (layers.length === 0) {
    throw new UnsupportedError("the model has no layers that sum signs", {
      expected: "convolutions or products of Where(Less(x, 0), -1, 1) with weights of two levels",
      hint: "Clean a trained binary network first, so that its weights are constants.",
    });
  }
  return {
    size: 1,
    inputs: fedInputs(graph),
    outputs: graph.outputs,
    steps: stepsFrom(typed, 1, plannedSteps(graph, layers)),
  };
}

/** In turns: what the runtime can compute by then, and the layers of signs that follow from it. */
function plannedSteps(graph: Graph, layers: readonly SignNode[]): PlannedStep[] {
  const signs = new Map(layers.map((layer) => [layer.node, layer]));
  const nodes = neededNodes(graph, signs);
  const rounds = new Map<Value, number>();
  const roundOf = (values: readonly Value[]): number =>
    maxOf(
      values.map((value) => rounds.get(value) ?? 0),
      0,
    );
  const roundOfNode = new Map<Node, number>();
  for (const node of nodes) {
    const own = signs.get(node);
    const round = roundOf(own ? [own.input] : readsOf(node));
    roundOfNode.set(node, round);
    for (const value of node.outputs) if (value) rounds.set(value, own ? round + 1 : round);
  }
  const last = maxOf([...roundOfNode.values()], 0);
  return Array.from({ length: last + 1 }, (_, round): PlannedStep[] => {
    const own = nodes.filter((node) => roundOfNode.get(node) === round);
    const run = own.filter((node) => !signs.has(node) && !isConstantNode(node));
    const layersOfRound = own.flatMap((node) => signs.get(node) ?? []);
    const taken = layersOfRound.map(({ input, output, layer }) => ({ kind: "signs", input, output, layer }) as const);
    return [...(run.length > 0 ? [{ kind: "run", nodes: [run], branches: 0 } as const] : []), ...taken];
  }).flat();
}

/** The nodes that the outputs depend on, where a layer of signs reads what they are the signs of. */
function neededNodes(graph: Graph, signs: ReadonlyMap<Node, SignNode>): Node[] {
  const needed = new Set<Value>(graph.outputs);
  const kept = graph.nodes.toReversed().filter((node) => {
    if (!node.outputs.some((value) => value && needed.has(value))) return false;
    const own = signs.get(node);
    for (const value of own ? [own.input] : readsOf(node)) needed.add(value);
    return true;
  });
  return kept.toReversed();
}

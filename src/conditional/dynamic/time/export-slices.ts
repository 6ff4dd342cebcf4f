/** @file A model that reads slices in a loop until it is sure. */
import { atLeast, nth } from "../../../checked.ts";
import { UnsupportedError, UsageError } from "../../../errors.ts";
import {
  constantOf,
  editGraph,
  forgetTypes,
  type Graph,
  graphAttribute,
  graphBuilder,
  graphOf,
  type Model,
  makeNode,
  type Names,
  type Node,
  namesOf,
  numbersOf,
  producerOf,
  readsOf,
  TARGET_OPSET,
  tensorFromNumbers,
  tensorType,
  usesOf,
  type Value,
  withGraph,
} from "../../../ir/index.ts";
import { dimsOf, type Layers, layersInto, lengthOf, network } from "../../../nn/index.ts";
import { builderInference, inferShapes, requireSameOutputs } from "../../../ops/index.ts";
import { eliminateDeadNodes } from "../../../passes/index.ts";
import { type Confidence, confidenceOf } from "../../exit/confidences/index.ts";
import { checkThresholds, type EarlyExitOptions, EXIT_OUTPUT } from "../../exit/export-early-exit.ts";
import { named } from "../../exit/staged-model.ts";
import { noWeights } from "../../lowering/no-weights.ts";
import { replaceNode } from "../../lowering/replace-node.ts";

/**
 * A model of `readSlices` in which the slices are read in a `Loop` that ends once the confidence reaches the threshold of its slice. Its outputs
 * are those of `exportEarlyExit`: the logits, and int64 `exit`, the number of slices that were read before the last one. A batch stops
 * when its least sure sample may.
 *
 * @throws UsageError for thresholds that do not fit and for a confidence that reads the answers before; UnsupportedError for exits that
 * are not those of `readSlices`.
 */
export async function exportSlices(
  model: Model,
  { thresholds, exits, confidence = "max-probability" }: EarlyExitOptions,
): Promise<Model> {
  checkThresholds(thresholds, exits);
  const measure = confidenceOf(confidence);
  checkConfidence(measure);
  const typed = inferShapes(model);
  const found = slicesIn(typed.graph, exits);
  const graph = looped(typed.graph, found, { measure, thresholds, scope: namesOf(typed) });
  const { model: live } = await eliminateDeadNodes().run(withGraph(typed, graph));
  const exported = inferShapes(forgetTypes(live));
  requireSameOutputs(model, exported, { pairs: [[found.output.name, found.output.name]] });
  return exported;
}

/** In the loop the answers before are gone. */
function checkConfidence(measure: Confidence): void {
  const probe = network(noWeights, (n) => {
    const logits = ["before", "own"].map((name) => n.input(name, "float32", ["batch", 2]));
    n.output(measure.build(n, logits), "score");
  });
  const [before] = atLeast(probe.graph.inputs, 1);
  if (!probe.graph.nodes.some((node) => readsOf(node).includes(before))) return;
  throw new UsageError("this confidence reads the answers before, which a loop does not keep", {
    expected: "a confidence in one answer",
    got: measure.name,
  });
}

interface Slices {
  /** Computes the answers to all slices. */
  readonly scan: Node;
  /** Takes the last answer. */
  readonly last: Node;
  readonly output: Value;
}

function slicesIn(graph: Graph, exits: readonly string[]): Slices {
  const takers = exits.map((name) =>
    producerOf(graph, producerOf(graph, named(graph, name))?.inputs[0] ?? named(graph, name)),
  );
  const all = takers[0]?.inputs[0];
  const scan = all && producerOf(graph, all);
  const uses = all ? usesOf(graph, all).map(({ node }) => node) : [];
  const last = uses.find((node) => !takers.includes(node));
  const output = graph.outputs.find((value) => {
    const producer = producerOf(graph, value);
    return !exits.includes(value.name) && last && (producer === last || copied(graph, producer) === last);
  });
  const places = [...takers, last].map((node) => placeOf(graph, node, all));
  if (
    output &&
    scan?.opType === "Scan" &&
    last &&
    places.every((place, i) => place === i) &&
    uses.length === places.length
  ) {
    return { scan, last, output };
  }
  throw new UnsupportedError("the exits are not all the slices of one readSlices", {
    expected: "the outputs exitsOf(model) of a model with one of them, as it was built",
    got: exits.join(", "),
  });
}

/** The node whose output a copy is. */
function copied(graph: Graph, copy: Node | undefined): Node | undefined {
  return copy?.opType === "Identity" && copy.inputs[0] ? producerOf(graph, copy.inputs[0]) : undefined;
}

/** Which answer a node takes from all. */
function placeOf(graph: Graph, node: Node | undefined, all: Value | undefined): number | undefined {
  if (node?.opType !== "Gather" || node.inputs[0] !== all) return undefined;
  const place = constantOf(graph, node.inputs[1]);
  return place && numbersOf(place)[0];
}

interface Stopping {
  readonly measure: Confidence;
  readonly thresholds: readonly number[];
  readonly scope: Names;
}

function looped(graph: Graph, { scan, last, output }: Slices, stopping: Stopping): Graph {
  const told: Value = { name: stopping.scope.fresh(EXIT_OUTPUT), type: tensorType("int64", []) };
  return editGraph(
    graph,
    (draft) => {
      replaceNode(draft, stopping.scope, last, (n) => {
        const [logits, number] = readingLoop(n, scan, stopping);
        draft.append(makeNode("Identity", [number], [told], { name: told.name }));
        return logits;
      });
      draft.setOutputs([output, told]);
    },
    stopping.scope,
  );
}

/** The logits where the loop stopped, and the number of that slice. */
function readingLoop(n: Layers, scan: Node, stopping: Stopping): [Value, Value] {
  const [start, slices] = scan.inputs as [Value, Value];
  const answer = nth(graphOf(scan, "body")!.outputs, 1);
  const int = (x: number) => n.constant("int", tensorFromNumbers("int64", [], [x]));
  const going = n.constant("going", tensorFromNumbers("bool", [], [1]));
  const shape = n.concat([n.op("Shape", [start], { start: 0, end: 1 }), n.ints([lengthOf(answer, 1)])], 0);
  const none = n.op("ConstantOfShape", [shape], { value: tensorFromNumbers("float32", [1], [0]) });
  const list = [...stopping.thresholds, Number.POSITIVE_INFINITY];
  const limits = n.constant("thresholds", tensorFromNumbers("float32", [list.length], list));
  const body = readingStep(scan, limits, stopping);
  const inputs = [int(lengthOf(slices, 1)), going, start, none, int(0)];
  const [, logits, number] = n.ops("Loop", inputs, 3, { body: graphAttribute(body) });
  return [logits, number];
}

/** The body of the scan behind the slice of its turn, and whether the next one is wanted. */
function readingStep(scan: Node, limits: Value, { measure, scope }: Stopping): Graph {
  const body = graphOf(scan, "body")!;
  const [state, slice] = body.inputs as [Value, Value];
  const [next, logits] = body.outputs as [Value, Value];
  const g = graphBuilder({ names: scope, infer: builderInference(TARGET_OPSET) });
  const turn = g.input("turn", "int64", []);
  const inputs = [
    turn,
    g.input("going", "bool", []),
    state,
    g.input("before", "float32", dimsOf(logits)),
    g.input("told", "int64", []),
  ];
  const n = layersInto(g, noWeights);
  const least = n.op("ReduceMin", [measure.build(n, [logits])], { keepdims: 0 });
  const isSure = n.op("GreaterOrEqual", [least, n.gather(limits, turn, 0)]);
  const outputs = [n.not(isSure), next, logits, n.op("Identity", [turn])];
  const read = makeNode("Gather", [scan.inputs[1], turn], [slice], {
    name: scope.fresh("slice"),
    attributes: { axis: 1 },
  });
  return {
    name: scope.fresh("read"),
    inputs,
    outputs,
    nodes: [read, ...body.nodes, ...g.nodes],
    initializers: new Map([...body.initializers, ...g.initializers]),
  };
}

/** @file Running statistics of BatchNormalization in training mode, in buffers that nothing else reads. */
import {
  attributeFrom,
  constantOf,
  type DataType,
  type Draft,
  dataTypes,
  editAllGraphs,
  type Graph,
  int64s,
  intOf,
  type Model,
  makeNode,
  type Node,
  producerOf,
  scalar,
  usesOf,
  type Value,
} from "../../ir/index.ts";

/** Where the operator takes the running mean and variance, and gives the next ones. */
const MEAN = 3;
const VARIANCE = 4;

/**
 * The same model with a copy of every running statistic that is fed, stored or read elsewhere, where the next one is an inner
 * value. The runtime makes the two one buffer. A copy subtracts a zero that depends on the batch, since any other would be
 * folded or removed.
 */
export function withOwnStatistics(model: Model): Model {
  return editAllGraphs(model, (draft) => {
    for (const node of draft.nodes()) {
      if (!overwrites(draft.graph, node)) continue;
      const zero = zeroOf(draft, node);
      const inputs = node.inputs.map((value, i) => (i >= MEAN && value ? copied(draft, node, value, zero) : value));
      draft.replaceNode(node, { ...node, inputs });
    }
  });
}

/** Whether the runtime writes the statistics of this node over something that is still read. */
export function overwrites(graph: Graph, node: Node): boolean {
  if (node.opType !== "BatchNormalization" || node.domain !== "" || intOf(node, "training_mode", 0) !== 1) return false;
  return [MEAN, VARIANCE].some((position) => {
    const [before, after] = [node.inputs[position], node.outputs[position - 2]];
    return before && after && !graph.outputs.includes(after) && !isOwn(graph, before);
  });
}

/** Made by a node for this use alone. */
function isOwn(graph: Graph, value: Value): boolean {
  return producerOf(graph, value) !== undefined && usesOf(graph, value).length === 1 && !graph.outputs.includes(value);
}

/** 0 in the dtype of the statistics: whether the first element of the batch is below itself. */
function zeroOf(draft: Draft, node: Node): Value {
  const dtype = statisticType(draft.graph, node);
  const [flat, first, below, zero] = ["flat", "first", "below", "zero"].map((name) => draft.value(`statistic/${name}`));
  draft.insertBefore(
    node,
    makeNode("Reshape", [node.inputs[0], draft.constant("statistic/all", int64s([-1]))], [flat]),
    makeNode("Gather", [flat, draft.constant("statistic/position", scalar("int64", 0))], [first]),
    makeNode("Less", [first, first], [below]),
    makeNode("Cast", [below], [zero], {
      attributes: new Map([["to", attributeFrom(dataTypes[dtype].code)]]),
    }),
  );
  return zero!;
}

function statisticType(graph: Graph, { inputs }: Node): DataType {
  const value = inputs[MEAN]!;
  if (value.type?.kind === "tensor") return value.type.dtype;
  return constantOf(graph, value)?.dtype ?? "float32";
}

function copied(draft: Draft, node: Node, value: Value, zero: Value): Value {
  const copy = draft.value(`${value.name}:own`, value.type);
  draft.insertBefore(node, makeNode("Sub", [value, zero], [copy]));
  return copy;
}

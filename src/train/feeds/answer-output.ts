/** @file Which of a model's outputs its answers are, where no data tells. */
import { UsageError } from "../../errors.ts";
import { ancestors, dataTypes, type Graph, makersAmong, producerOf, type Value } from "../../ir/index.ts";

/**
 * The output of a typed graph that its answers are: rows of classes [N, C], else any, behind most of the network. What stands beside the
 * answers, such as features or the head of an early exit, is made by fewer nodes, in whatever order the outputs are; of equals, the first.
 *
 * @throws UsageError for a graph without outputs
 */
export function answerOutput(graph: Graph): Value {
  const { outputs } = graph;
  const answer = deepest(graph, outputs.filter(areClasses)) ?? deepest(graph, outputs);
  if (answer) return answer;
  throw new UsageError("a model without outputs gives no answers");
}

/**
 * The value that the answers are read from: their logits, where the model ends in the softmax of those.
 *
 * @throws UsageError for a graph without outputs
 */
export function answerScores(graph: Graph): Value {
  const answer = answerOutput(graph);
  const producer = producerOf(graph, answer);
  return (producer?.opType === "Softmax" && producer.inputs[0]) || answer;
}

/** Rows of floats, more than one in each. */
export function areClasses({ type }: Value): boolean {
  if (type?.kind !== "tensor" || dataTypes[type.dtype].kind !== "float") return false;
  return type.dims?.length === 2 && type.dims[1] !== 1;
}

/** The one that most nodes are computed for; the first of equals. */
export function deepest(graph: Graph, outputs: readonly Value[]): Value | undefined {
  if (outputs.length < 2) return outputs[0];
  const makers = makersAmong(graph.nodes);
  const depths = outputs.map((output) => ({ output, depth: ancestors([output], (value) => makers.get(value)).size }));
  return depths.sort((a, b) => b.depth - a.depth)[0]?.output;
}

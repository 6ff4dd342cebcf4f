/** @file What a node must be before a gradient rule may rely on its operands. */
import { ShapeError } from "../errors.ts";
import { describeNode, type Graph, type InferTypes, type Node, subgraphsOf, type ValueType } from "../ir/index.ts";
import { checkRequired } from "../ops/index.ts";

/**
 * @throws InvalidModelError for a node that lacks an input or attribute, ShapeError for one whose operands do not fit together or whose
 * outputs have other ranks than follows from them.
 */
export function checkFits(node: Node, { initializers }: Pick<Graph, "initializers">, infer: InferTypes): void {
  checkRequired(node);
  if (subgraphsOf(node).length > 0) return;
  const inferred = infer(node, { nodes: [], initializers });
  node.outputs.forEach((value, i) => {
    const [expected, got] = [rankOf(inferred[i]), rankOf(value?.type)];
    if (expected === undefined || got === undefined || expected === got) return;
    const where = `${describeNode(node)}, output ${i}`;
    throw new ShapeError("an output has another rank than its operands give", {
      expected: `${expected}`,
      got: `${got}`,
      where,
    });
  });
}

function rankOf(type: ValueType | undefined): number | undefined {
  return type && "dims" in type ? type.dims?.length : undefined;
}

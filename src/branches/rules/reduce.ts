/** @file Reductions over axes of each branch. */
import { intOf, type Node, numbersOf } from "../../ir/index.ts";
import { declined } from "../../rewrite/index.ts";
import { stacked } from "../operand.ts";
import type { Fusion, FusionRule, Operands } from "../rule.ts";
import { shifted } from "./norm.ts";

const reduction: FusionRule = {
  fuse(f, node, operands) {
    const [x] = operands;
    const axes = axesOf(f, node, operands);
    if (!x || !axes) return declined("axes that are computed");
    const branch = x.kind === "stacked" ? x.axis : 0;
    const keepdims = intOf(node, "keepdims", 1);
    const target = axes.map((axis) => shifted(axis, x.rank, branch));
    const [value] = f.like(node, [f.at(x, branch), f.ints(target)]);
    const gone = keepdims === 1 ? 0 : target.filter((axis) => axis < branch).length;
    return [stacked(value, branch - gone, f.dims(node.outputs[0]).length)];
  },
};

/** Without axes, all of them, unless the node says that none are meant. */
function axesOf(f: Fusion, node: Node, [x, axes]: Operands): readonly number[] | undefined {
  const known = axes && f.constant(axes);
  if (axes && !known) return undefined;
  const list = known ? Array.from(numbersOf(known)) : [];
  if (list.length > 0) return list;
  return intOf(node, "noop_with_empty_axes", 0) === 1 ? undefined : [...Array(x?.rank ?? 0).keys()];
}

export const reduceRules = {
  ReduceL1: reduction,
  ReduceL2: reduction,
  ReduceLogSum: reduction,
  ReduceLogSumExp: reduction,
  ReduceMax: reduction,
  ReduceMean: reduction,
  ReduceMin: reduction,
  ReduceProd: reduction,
  ReduceSum: reduction,
  ReduceSumSquare: reduction,
} satisfies Record<string, FusionRule>;

/** @file Transposes that change nothing, and transposes of transposes. */
import { nth } from "../../checked.ts";
import { intsOf, type Node } from "../../ir/index.ts";
import { type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";

export const transposeToItself: Rule = {
  name: "transpose-to-itself",
  roots: ["Transpose"],
  apply(node, context) {
    const [x] = node.inputs;
    const perm = permutation(node, context);
    return x && perm?.every((axis, i) => axis === i) ? replaceBy("it keeps every axis in place", x) : undefined;
  },
};

export const transposeOfTranspose: Rule = {
  name: "transpose-of-transpose",
  roots: ["Transpose"],
  apply(node, context) {
    const first = context.producer(node.inputs[0]);
    const [x] = first?.inputs ?? [];
    if (first?.opType !== "Transpose" || first.domain !== "" || !x) return undefined;
    const outer = permutation(node, context);
    const inner = permutation(first, context);
    if (!outer || !inner || outer.length !== inner.length) return undefined;
    const perm = outer.map((axis) => nth(inner, axis));
    return replaceBy("two permutations are one", context.g.op("Transpose", [x], { perm }));
  },
};

/** The axes of the input in the order of the output; without the attribute they are reversed. */
function permutation(node: Node, context: RuleContext): readonly number[] | undefined {
  const given = intsOf(node, "perm");
  if (given) return given;
  const rank = context.dims(node.inputs[0])?.length;
  return rank === undefined ? undefined : Array.from({ length: rank }, (_, i) => rank - 1 - i);
}

/** @file Removes `Dropout` nodes that do nothing at inference. */
import { intOf, type Node, numbersOf } from "../ir/index.ts";
import { declined, type Pass, type Rule, type RuleContext, replaceBy, rulePass } from "../rewrite/index.ts";

const dropout: Rule = {
  name: "dropout",
  roots: ["Dropout"],
  apply(node, context) {
    const [x] = node.inputs;
    const [, mask] = node.outputs;
    if (!x) return undefined;
    if (mask && context.isUsed(mask)) return declined("its mask is read");
    if (mayDrop(node, context)) return declined("it may be in training mode");
    return replaceBy("it drops nothing at inference", x);
  },
};

/** Training mode was `is_test = 0` before opset 7, does not exist from 7 to 11, and is an input since 12. */
function mayDrop(node: Node, context: RuleContext): boolean {
  const version = context.version();
  if (version < 7) return intOf(node, "is_test", 0) === 0;
  const mode = node.inputs[2];
  if (version < 12 || !mode) return false;
  const constant = context.constant(mode);
  return !constant || numbersOf(constant)[0] !== 0;
}

/** Exact for inference. A `Dropout` whose mask is read, or whose training mode is not known to be off, stays. */
export function eliminateDropout(): Pass {
  return rulePass("eliminate-dropout", "exact", [dropout]);
}

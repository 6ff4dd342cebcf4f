/** @file Reshapes that change nothing, and chains of them. All these operators keep the order of the elements. */
import { nth } from "../../checked.ts";
import { type Dims, intOf, type Node, numbersOf, qualifiedName, type Value } from "../../ir/index.ts";
import { type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";
import { surelyEqual } from "./dims.ts";

const reshapers = ["Reshape", "Flatten", "Squeeze", "Unsqueeze"] as const;
const keepsOrder: ReadonlySet<string> = new Set(reshapers);

/** A chain of reshapes that ends in the dims in which it began. */
export const reshapeToItself: Rule = {
  name: "reshape-to-itself",
  roots: reshapers,
  apply(node, context) {
    const [y] = node.outputs;
    const dims = context.dims(y);
    if (!y || !dims) return undefined;
    for (let maker: Node | undefined = node; isReshaper(maker); maker = context.producer(maker.inputs[0])) {
      const [x] = maker.inputs;
      if (x && sameShape(context.dims(x), dims)) return replaceBy("it ends in the dims in which it began", x);
    }
    return undefined;
  },
};

/** Only the last shape of a chain counts, when it does not copy dims from what it reshapes. */
export const reshapeOfReshape: Rule = {
  name: "reshape-of-reshape",
  roots: ["Reshape"],
  apply(node, context) {
    const [x, shape] = node.inputs;
    const first = context.producer(x);
    const source = firstOfChain(context, x);
    if (!first || !source || source === x || !shape || copiesDims(node, context, shape)) return undefined;
    const allowzero = intOf(node, "allowzero", 0) === 1 ? 1 : undefined;
    return replaceBy("only the last shape counts", context.g.op("Reshape", [source, shape], { allowzero }));
  },
};

function isReshaper(node: Node | undefined): node is Node {
  return node !== undefined && keepsOrder.has(qualifiedName(node));
}

function firstOfChain(context: RuleContext, value: Value | undefined): Value | undefined {
  let current = value;
  for (let maker = context.producer(current); isReshaper(maker); maker = context.producer(current)) {
    if (!maker.inputs[0]) return undefined;
    current = maker.inputs[0];
  }
  return current;
}

/** Whether the shape has zeros that stand for dims of the reshaped value, or may have. */
function copiesDims(node: Node, context: RuleContext, shape: Value): boolean {
  const constant = context.constant(shape);
  if (!constant) return true;
  return intOf(node, "allowzero", 0) === 0 && numbersOf(constant).includes(0);
}

/** Equal dims; one unknown dim on each side, at the same place, is equal because the number of elements is. */
function sameShape(a: Dims | undefined, b: Dims): boolean {
  if (!a || a.length !== b.length) return false;
  const open = a.flatMap((dim, i) => (surelyEqual(dim, nth(b, i)) ? [] : [i]));
  if (open.length === 0) return true;
  const others = a.filter((_, i) => i !== open[0]);
  const [place] = open;
  if (open.length > 1 || place === undefined) return false;
  const bothOpen = typeof a[place] === "string" && typeof b[place] === "string";
  return bothOpen && others.every((dim) => typeof dim === "number" && dim > 0);
}

/** @file Zeros that only carry a gradient go: in inference a straight-through value is its hard part. */
import { intOf, type Node, numbersOf, type Value } from "../ir/index.ts";
import { type Pass, type Rule, type RuleContext, replaceBy, rulePass, typesApart } from "../rewrite/index.ts";

const hardPart: Rule = {
  name: "hard-part",
  roots: ["Add", "Sub"],
  apply({ inputs: [hard, zeros] }, context) {
    if (!hard || !zeros || !isZero(zeros, context) || !hasDimsOf(hard, zeros, context)) return undefined;
    return replaceBy("what is added is zero, and there for its gradient", hard);
  },
};

/** Whether a value was quantized in steps of which none of its numbers is more than half, so that its zero point is all that is left. */
function isZero(value: Value, context: RuleContext): boolean {
  const after = context.producer(value);
  const before = context.producer(after?.inputs[0]);
  if (!isPlain(after, "DequantizeLinear") || !isPlain(before, "QuantizeLinear")) return false;
  const [x, steps, zero] = before.inputs;
  const [zeroBefore, zeroAfter] = [zero, after.inputs[2]].map((point) => (point ? scalarOf(point, context) : 0));
  const half = (scalarOf(steps, context) ?? 0) / 2;
  return zeroBefore !== undefined && zeroBefore === zeroAfter && half > 0 && isWithin(x, half, context);
}

function isPlain(node: Node | undefined, opType: string): node is Node {
  return node?.opType === opType && node.domain === "" && intOf(node, "block_size", 0) === 0;
}

/** Whether no element can lie beyond ±`bound`: a constant, or what a `Clip` lets through. */
function isWithin(x: Value | undefined, bound: number, context: RuleContext): boolean {
  const constant = context.constant(x);
  if (constant) return constant.dtype !== "string" && numbersOf(constant).every((value) => Math.abs(value) <= bound);
  const producer = context.producer(x);
  if (producer?.opType !== "Clip" || producer.domain !== "") return false;
  const [low, high] = producer.inputs.slice(1).map((limit) => scalarOf(limit, context));
  return low !== undefined && high !== undefined && -bound <= low && low <= high && high <= bound;
}

function scalarOf(value: Value | undefined, context: RuleContext): number | undefined {
  const constant = context.constant(value);
  if (!constant || constant.dtype === "string") return undefined;
  const numbers = numbersOf(constant);
  return numbers.length === 1 ? numbers[0] : undefined;
}

/** Whether the sum has the dims of its first term. */
function hasDimsOf(hard: Value, zeros: Value, context: RuleContext): boolean {
  const [own, added] = [context.dims(hard), context.dims(zeros)];
  if (!own || !added || added.length > own.length) return false;
  const offset = own.length - added.length;
  return added.every((dim, i) => dim === 1 || dim === own[offset + i]);
}

/** Rounding: a negative zero keeps its sign, and NaN is no longer rounded to a number. Numbers that are proved to lie within half a step only. */
export function settleStraightThrough(): Pass {
  return rulePass("settle-straight-through", "rounding", [hardPart], { types: typesApart });
}

/** @file Windows whose lengths ONNX's shape inference and the kernels count differently are written so that both agree. */
import { nth } from "../checked.ts";
import {
  type AnyAttributes,
  dataTypes,
  int64s,
  intOf,
  intsOf,
  type Node,
  scalar,
  stringOf,
  type Value,
} from "../ir/index.ts";
import { type Rule, type RuleContext, rulePass, type SyncPass, typesIn } from "../rewrite/index.ts";

/**
 * Rounding up, where a window that would start behind the input is left out. The windows that it does add reach into padding,
 * which a maximum and a norm do not see; a mean does not count it, so what it has to count is padded beforehand.
 */
const pooledUp: Rule = {
  name: "pooled-up",
  roots: ["MaxPool", "AveragePool", "LpPool"],
  apply(node, context) {
    if (intOf(node, "ceil_mode", 0) !== 1) return undefined;
    const kernel = intsOf(node, "kernel_shape");
    const [from, to] = [lengths(context, node.inputs[0]), lengths(context, node.outputs[0])];
    if (!kernel || !from || !to) return undefined;
    if (stringOf(node, "auto_pad", "NOTSET").startsWith("SAME")) {
      return rewritten(node, context, node.inputs, { ceil_mode: undefined }, "this padding has no rounding");
    }
    const { pads, more, isCut } = roundingOf(node, kernel, from, to);
    if (!isCut) return undefined;
    const ends = kernel.map((_, i) => nth(pads, i + kernel.length) + nth(more, i));
    if (ends.some((n, i) => nth(more, i) > 0 && n >= nth(kernel, i))) return paddedBefore(node, context, pads, more);
    const isCounted = node.opType === "AveragePool" && intOf(node, "count_include_pad", 0) === 1;
    if (isCounted && more.some((n) => n > 0)) return countedBefore(node, context, pads, more);
    const change = { ceil_mode: undefined, auto_pad: undefined, pads: [...pads.slice(0, kernel.length), ...ends] };
    return rewritten(node, context, node.inputs, change, "the windows that rounding up adds are known");
  },
};

/** Padding by axis, what rounding up adds behind it, and whether it leaves a window out. */
function roundingOf(node: Node, kernel: readonly number[], from: readonly number[], to: readonly number[]) {
  const given = stringOf(node, "auto_pad", "NOTSET") === "NOTSET" ? intsOf(node, "pads") : undefined;
  const pads = given ?? kernel.flatMap(() => [0, 0]);
  const at = (name: string, i: number): number => intsOf(node, name)?.[i] ?? 1;
  const room = from.map(
    (n, i) => n + nth(pads, i) + nth(pads, i + kernel.length) - (nth(kernel, i) - 1) * at("dilations", i) - 1,
  );
  const more = to.map((n, i) => Math.max(0, (n - 1) * at("strides", i) - nth(room, i)));
  return { pads, more, isCut: to.some((n, i) => n <= Math.ceil(nth(room, i) / at("strides", i))) };
}

function countedBefore(node: Node, context: RuleContext, pads: readonly number[], more: readonly number[]) {
  const padded = context.g.op("Pad", [node.inputs[0], around(context, pads)]);
  const none = more.map(() => 0);
  const change = { ceil_mode: undefined, auto_pad: undefined, count_include_pad: undefined, pads: [...none, ...more] };
  return rewritten(node, context, [padded], change, "the padding that it counts is made before it");
}

/** More padding than the operator takes itself: elements that a maximum or a norm does not see. */
function paddedBefore(node: Node, context: RuleContext, pads: readonly number[], more: readonly number[]) {
  const type = context.type(node.inputs[0]);
  const isFloat = type?.kind === "tensor" && dataTypes[type.dtype].kind === "float";
  if (node.opType === "AveragePool" || node.outputs[1] || !isFloat) return undefined;
  const unseen = scalar(type.dtype, node.opType === "MaxPool" ? Number.NEGATIVE_INFINITY : 0);
  const all = pads.map((n, i) => n + (more[i - more.length] ?? 0));
  const padded = context.g.op("Pad", [node.inputs[0], around(context, all), context.g.constant("unseen", unseen)]);
  const change = { ceil_mode: undefined, auto_pad: undefined, pads: undefined };
  return rewritten(node, context, [padded], change, "the windows that rounding up adds are padded before it");
}

/** Spatial pads as those of all axes. */
function around({ g }: RuleContext, pads: readonly number[]): Value {
  const rank = pads.length / 2;
  return g.constant("pads", int64s([0, 0, ...pads.slice(0, rank), 0, 0, ...pads.slice(rank)]));
}

/** Padding that a transposed convolution works out by itself. */
const sameTransposed: Rule = {
  name: "same-transposed",
  roots: ["ConvTranspose"],
  apply(node, context) {
    const how = stringOf(node, "auto_pad", "NOTSET");
    if (!how.startsWith("SAME") || intsOf(node, "output_shape")) return undefined;
    const [x, w] = node.inputs;
    const [from, to, kernel] = [lengths(context, x), lengths(context, node.outputs[0]), lengths(context, w)];
    if (!from || !to || !kernel) return undefined;
    const total = to.map((length, i) => covered(node, nth(kernel, i), nth(from, i), i) - length);
    const [less, more] = [total.map((n) => Math.floor(n / 2)), total.map((n) => Math.ceil(n / 2))];
    const pads = how === "SAME_UPPER" ? [...less, ...more] : [...more, ...less];
    return rewritten(node, context, node.inputs, { auto_pad: undefined, pads }, "its padding is known");
  },
};

/** What the windows of a transposed convolution cover, without padding. */
function covered(node: Node, kernel: number, length: number, i: number): number {
  const at = (name: string, fallback: number): number => intsOf(node, name)?.[i] ?? fallback;
  return (length - 1) * at("strides", 1) + (kernel - 1) * at("dilations", 1) + 1 + at("output_padding", 0);
}

/** The known spatial lengths of a value; `undefined` unless all are. */
function lengths(context: RuleContext, value: Value | undefined): readonly number[] | undefined {
  const list = context.dims(value)?.slice(2);
  return list?.every((dim) => typeof dim === "number") ? (list as number[]) : undefined;
}

function rewritten(node: Node, { g }: RuleContext, inputs: Node["inputs"], change: AnyAttributes, reason: string) {
  return { outputs: g.like(node, inputs, change), reason };
}

/** Exact: the same windows, in attributes that leave nothing to work out. */
export function explicitWindows(): SyncPass {
  return rulePass("explicit-windows", "exact", [pooledUp, sameTransposed], { types: typesIn });
}

/** @file Selections, paddings and joins that take everything and add nothing. */
import { boundsOf as boundsAttribute, intsOf, type Node, numbersOf, type Value } from "../../ir/index.ts";
import { type Rule, type RuleContext, replaceBy } from "../../rewrite/index.ts";
import { equalDims } from "./dims.ts";

export const joinOfOne: Rule = {
  name: "join-of-one",
  roots: ["Concat", "Sum", "Max", "Min", "Mean"],
  apply({ inputs }) {
    const [x] = inputs;
    return inputs.length === 1 && x ? replaceBy("it has one input", x) : undefined;
  },
};

export const splitIntoOne: Rule = {
  name: "split-into-one",
  roots: ["Split"],
  apply({ inputs: [x], outputs }) {
    return outputs.length === 1 && x ? replaceBy("it has one output", x) : undefined;
  },
};

export const emptyPad: Rule = {
  name: "empty-pad",
  roots: ["Pad"],
  apply(node, context) {
    const pads = intsOf(node, "pads") ?? constantInts(context, node.inputs[1]);
    const [x] = node.inputs;
    return x && pads?.every((pad) => pad === 0) ? replaceBy("it pads nothing", x) : undefined;
  },
};

export const tileOnce: Rule = {
  name: "tile-once",
  roots: ["Tile"],
  apply(node, context) {
    const [x] = node.inputs;
    const repeats = node.inputs.length === 2 ? constantInts(context, node.inputs[1]) : undefined;
    return x && repeats?.every((count) => count === 1) ? replaceBy("it repeats once", x) : undefined;
  },
};

export const expandToItself: Rule = {
  name: "expand-to-itself",
  roots: ["Expand"],
  apply({ inputs: [x], outputs: [y] }, context) {
    return x && equalDims(context.dims(x), context.dims(y)) ? replaceBy("its input has these dims", x) : undefined;
  },
};

/** From 0 to beyond any length, or to a result of the same known dims, forwards and without gaps. */
export const fullSlice: Rule = {
  name: "full-slice",
  roots: ["Slice"],
  apply(node, context) {
    const [x] = node.inputs;
    const [y] = node.outputs;
    const bounds = boundsOf(node, context);
    if (!x || !bounds?.steps.every((step) => step === 1)) return undefined;
    const wholeRange = bounds.starts.every((start) => start === 0) && bounds.ends.every((end) => end >= 2 ** 31 - 1);
    if (!wholeRange && !equalDims(context.dims(x), context.dims(y))) return undefined;
    return replaceBy("it takes everything", x);
  },
};

interface Bounds {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly steps: readonly number[];
}

function boundsOf(node: Node, context: RuleContext): Bounds | undefined {
  const starts = boundsAttribute(node, "starts") ?? constantInts(context, node.inputs[1]);
  const ends = boundsAttribute(node, "ends") ?? constantInts(context, node.inputs[2]);
  const steps = node.inputs[4] ? constantInts(context, node.inputs[4]) : [];
  return starts && ends && steps ? { starts, ends, steps } : undefined;
}

function constantInts(context: RuleContext, value: Value | undefined): readonly number[] | undefined {
  const constant = context.constant(value);
  return constant && constant.dtype !== "string" ? [...numbersOf(constant)] : undefined;
}

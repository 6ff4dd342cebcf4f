/** @file Constant zero padding before a convolution or an average becomes the operator's own padding. */
import { nth } from "../checked.ts";
import { intOf, intsOf, type Node, numbersOf, stringOf, type Value } from "../ir/index.ts";
import {
  type Declined,
  declined,
  type Pass,
  type Rule,
  type RuleContext,
  replaceBy,
  rulePass,
} from "../rewrite/index.ts";
import { numbersIn } from "./batchnorm/affine.ts";

interface Padding {
  readonly x: Value;
  readonly value: number;
  /** Begin and end of each spatial axis, in the order of the `pads` attribute. */
  readonly pads: readonly number[];
}

/** Operators with a `pads` attribute, and how their attributes change when the padding moves into it. */
const padded = {
  Conv: (_, padding) => (padding.value === 0 ? {} : declined("it pads with something other than 0")),
  AveragePool(node, padding) {
    if (padding.value !== 0) return declined("it pads with something other than 0");
    if (intOf(node, "ceil_mode", 0) === 1) return declined("the average rounds its size up");
    if (hasLongerEnds(padding, node))
      return declined("ONNX Runtime before 1.25 averages ends with more padding wrongly");
    const counted = intOf(node, "count_include_pad", 0) === 1 || !hasPads(node);
    return counted ? { count_include_pad: 1 } : declined("the average does not count its own padding");
  },
  MaxPool(node, padding) {
    if (padding.value !== Number.NEGATIVE_INFINITY) return declined("a maximum needs -inf as padding");
    return intOf(node, "ceil_mode", 0) === 1 ? declined("the maximum rounds its size up") : {};
  },
} satisfies Record<string, (node: Node, padding: Padding) => Readonly<Record<string, number>> | Declined>;

const padInto: Rule = {
  name: "pad-into",
  roots: Object.keys(padded),
  apply(node, context) {
    const pad = context.producer(node.inputs[0]);
    if (pad?.opType !== "Pad" || pad.domain !== "") return undefined;
    const padding = paddingOf(pad, context);
    if ("declined" in padding) return padding;
    const change = padded[node.opType as keyof typeof padded](node, padding);
    if ("declined" in change) return change as Declined;
    const pads = sumOfPads(node, padding);
    if ("declined" in pads) return pads;
    const outputs = context.g.like(node, [padding.x, ...node.inputs.slice(1)], {
      ...change,
      auto_pad: undefined,
      pads: pads.sum,
    });
    if (node.outputs.slice(1).some((value) => value && context.isUsed(value)))
      return declined("its second output counts positions in the padded input");
    return replaceBy("the padding before it becomes its own", outputs[0]);
  },
};

function paddingOf(pad: Node, context: RuleContext): Padding | Declined {
  const [x] = pad.inputs;
  const all = intsOf(pad, "pads") ?? constantInts(context, pad.inputs[1]);
  if (!x || !all) return declined("the pads before it are not constant");
  if (stringOf(pad, "mode", "constant") !== "constant") return declined("the padding before it is not constant");
  if (pad.inputs[3]) return declined("the padding before it names its axes");
  const fill = pad.inputs[2] ? numbersIn(context, pad.inputs[2]) : undefined;
  if (pad.inputs[2] && !fill) return declined("the value of the padding before it is not constant");
  if (all.some((count) => count < 0)) return declined("the padding before it crops");
  const rank = all.length / 2;
  const begins = all.slice(0, rank);
  const ends = all.slice(rank);
  if ([...begins.slice(0, 2), ...ends.slice(0, 2)].some((count) => count !== 0))
    return declined("the padding before it widens the batch or the channels");
  return { x, value: fill?.[0] ?? attributeValue(pad), pads: [...begins.slice(2), ...ends.slice(2)] };
}

function attributeValue(pad: Node): number {
  const attribute = pad.attributes.get("value");
  return attribute?.type === "float" ? attribute.value : 0;
}

function sumOfPads(node: Node, { pads }: Padding): { sum: readonly number[] } | Declined {
  const mode = stringOf(node, "auto_pad", "NOTSET");
  if (mode !== "NOTSET" && mode !== "VALID") return declined(`its own padding follows from the size (${mode})`);
  const own = mode === "VALID" ? undefined : intsOf(node, "pads");
  const sum = pads.map((count, i) => count + (own?.[i] ?? 0));
  const kernel = intsOf(node, "kernel_shape");
  if (node.opType !== "Conv" && !sum.every((count, i) => count < (kernel?.[i % (sum.length / 2)] ?? 0)))
    return declined("a window would lie in the padding alone");
  return { sum };
}

function hasLongerEnds({ pads }: Padding, node: Node): boolean {
  const own = intsOf(node, "pads");
  const sum = pads.map((count, i) => count + (own?.[i] ?? 0));
  const spatial = sum.length / 2;
  return sum.some((count, i) => i >= spatial && count > nth(sum, i - spatial));
}

function hasPads(node: Node): boolean {
  return (
    stringOf(node, "auto_pad", "NOTSET").startsWith("SAME") || (intsOf(node, "pads") ?? []).some((pad) => pad !== 0)
  );
}

function constantInts(context: RuleContext, value: Value | undefined): readonly number[] | undefined {
  const constant = context.constant(value);
  return constant && constant.dtype === "int64" ? [...numbersOf(constant)] : undefined;
}

/** Rounding: the same sums, in the order in which the runtime takes a padded operator. MaxPool needs -inf as the padded value. */
export function fusePad(): Pass {
  return rulePass("fuse-pad", "rounding", [padInto]);
}

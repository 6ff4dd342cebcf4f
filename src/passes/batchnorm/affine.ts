/** @file A `BatchNormalization` at inference as what it is: y = factor · x + shift for each channel. */
import { floatOf, intOf, type Node, numbersOf, type Value } from "../../ir/index.ts";
import { type Declined, declined, type RuleContext } from "../../rewrite/index.ts";

export interface ChannelAffine {
  readonly factor: Float64Array;
  readonly shift: Float64Array;
}

/** factor = scale / √(variance + epsilon), shift = bias − factor · mean; or why the node is not of this form. */
export function affineOf(node: Node, context: RuleContext): ChannelAffine | Declined {
  if (trains(node, context)) return declined("it updates its statistics");
  if (intOf(node, "spatial", 1) === 0) return declined("it normalises every element by itself (spatial = 0)");
  const [scale, bias, mean, variance] = node.inputs.slice(1).map((value) => numbersIn(context, value));
  if (!scale || !bias || !mean || !variance) return declined("its parameters are not constants");
  if (![bias, mean, variance].every(({ length }) => length === scale.length))
    return declined("its parameters differ in length");
  const epsilon = floatOf(node, "epsilon", 1e-5);
  const factor = scale.map((value, c) => value / Math.sqrt(variance[c]! + epsilon));
  const shift = bias.map((value, c) => value - factor[c]! * mean[c]!);
  if (![...factor, ...shift].every(Number.isFinite)) return declined("a channel has no finite factor");
  return { factor, shift };
}

function trains(node: Node, context: RuleContext): boolean {
  if (intOf(node, "training_mode", 0) === 1) return true;
  if (node.outputs.slice(1).some((value) => value && context.isUsed(value))) return true;
  return context.version() < 7 && intOf(node, "is_test", 0) === 0;
}

export function numbersIn(context: RuleContext, value: Value | undefined): Float64Array | undefined {
  const constant = context.constant(value);
  return constant && constant.dtype !== "string" ? numbersOf(constant) : undefined;
}

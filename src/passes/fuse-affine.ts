/** @file Folds a constant factor or shift per channel into the linear operator before it. */
import { type Node, numbersOf, type Tensor, type Value } from "../ir/index.ts";
import { type Pass, type Rule, type RuleContext, rulePass } from "../rewrite/index.ts";
import type { ChannelAffine } from "./batchnorm/affine.ts";
import { channelsOf, foldInto, linearBefore } from "./batchnorm/after.ts";

/** What an operation with the constant c is to a channel: factor · x + shift. */
type Meaning = (c: number) => readonly [factor: number, shift: number];

const commutative = new Map<string, Meaning>([
  ["Add", (c) => [1, c]],
  ["Mul", (c) => [c, 0]],
]);
const onTheRight = new Map<string, Meaning>([...commutative, ["Div", (c) => [1 / c, 0]], ["Sub", (c) => [1, -c]]]);

const affineAfterLinear: Rule = {
  name: "affine-after-linear",
  roots: [...onTheRight.keys()],
  apply(node, context) {
    const [a, b] = node.inputs;
    if (!a || !b || node.attributes.size > 0) return undefined;
    return folded(node, context, a, b, onTheRight) ?? folded(node, context, b, a, commutative);
  },
};

function folded(
  { opType }: Node,
  context: RuleContext,
  sum: Value,
  other: Value,
  meanings: ReadonlyMap<string, Meaning>,
): ReturnType<Rule["apply"]> {
  const linear = linearBefore(sum, context);
  const meaning = meanings.get(opType);
  const constant = context.constant(other);
  const channels = linear && channelsOf(linear, context);
  if (!linear || !meaning || !constant || !channels) return undefined;
  const rank = context.constant(linear.inputs[1])!.dims.length;
  const perChannel = channelNumbers(constant, rank, channels);
  const affine = perChannel && affineFrom(perChannel, meaning);
  return affine && foldInto(linear, context, affine);
}

/** One number per channel, when broadcasting runs along the channels (axis 1) and adds no dims. */
function channelNumbers(constant: Tensor, rank: number, channels: number): Float64Array | undefined {
  if (constant.dtype === "string" || constant.dims.length > rank) return undefined;
  const dims = [...Array.from({ length: rank - constant.dims.length }, () => 1), ...constant.dims];
  if (!dims.every((dim, axis) => dim === 1 || (axis === 1 && dim === channels))) return undefined;
  const values = numbersOf(constant);
  return new Float64Array(channels).map((_, c) => values[c % values.length]!);
}

function affineFrom(values: Float64Array, meaning: Meaning): ChannelAffine | undefined {
  const factor = values.map((value) => meaning(value)[0]);
  const shift = values.map((value) => meaning(value)[1]);
  return [...factor, ...shift].every(Number.isFinite) ? { factor, shift } : undefined;
}

/** Rounding: a multiplication, division, addition or subtraction per channel moves into the weights, computed in float64. */
export function fuseAffine(): Pass {
  return rulePass("fuse-affine", "rounding", [affineAfterLinear]);
}

/** @file Convolutions and pooling: the channels of the branches one after another. */
import { type AnyAttributes, intOf, type Node } from "../../ir/index.ts";
import { declined } from "../../rewrite/index.ts";
import type { Fusion, FusionRule, Operands } from "../rule.ts";
import { attributesOf } from "./elementwise.ts";

/** Over a common input without groups, one convolution with n times the filters; else one of n times the groups. */
const conv: FusionRule = {
  fuse(f, node, [x, w, b]) {
    if (!x || w?.kind !== "own") return declined("filters that the branches share or compute");
    const group = intOf(node, "group", 1);
    const isWide = x.kind === "common" && group === 1;
    const inputs = [isWide ? x.value : f.merged(x, 1), f.joined(w, 0), b && f.joined(b, 0)];
    const attributes = { ...attributesOf(node), group: isWide ? 1 : group * f.count };
    return [f.split(f.op("Conv", given(inputs), attributes), f.dims(node.outputs[0]), 1)];
  },
  /** Σ conv(h_j, W_j) = conv([h_1 … h_n], [W_1 … W_n]), filters joined along their input channels. */
  sum: {
    through: (node) => (intOf(node, "group", 1) === 1 ? [] : undefined),
    emit(f, node, [x, w, b]) {
      if (x?.kind !== "stacked" || w?.kind !== "own") return undefined;
      return f.op("Conv", given([f.merged(x, 1), f.joined(w, 1), b && f.sum(b)]), attributesOf(node));
    },
  },
};

function given<T>(inputs: readonly (T | undefined)[]): (T | undefined)[] {
  return inputs.at(-1) === undefined ? inputs.slice(0, -1) : [...inputs];
}

/** An operator that treats every channel alike and by itself. */
const perChannel: FusionRule = {
  fuse(f, node, operands) {
    if (node.outputs.length > 1) return declined("positions of maxima");
    return [overChannels(f, node, operands)];
  },
};

/** Normalisations with one number per channel in the inputs behind the first. */
const channelNorm = (groups?: "num_groups" | "group"): FusionRule => ({
  fuse(f, node, operands) {
    if (node.outputs.length > 1) return declined("statistics as outputs");
    const more = groups === undefined ? {} : { [groups]: intOf(node, groups, 1) * f.count };
    return [overChannels(f, node, operands, more)];
  },
});

function overChannels(f: Fusion, node: Node, [x, ...numbers]: Operands, more: AnyAttributes = {}) {
  const inputs = [f.merged(x!, 1), ...numbers.map((operand) => operand && f.joined(operand, 0))];
  const [made] = f.like(node, inputs, more);
  return f.split(made, f.dims(node.outputs[0]), 1);
}

export const convRules = {
  AveragePool: perChannel,
  BatchNormalization: channelNorm(),
  Conv: conv,
  GlobalAveragePool: perChannel,
  GlobalMaxPool: perChannel,
  GroupNormalization: channelNorm("num_groups"),
  InstanceNormalization: channelNorm(),
  LpPool: perChannel,
  MaxPool: perChannel,
} satisfies Record<string, FusionRule>;

/** @file Operators along an axis: Softmax, LayerNormalization and its like without a mean. */
import { type BuilderAttributes, boundedSize, intOf, tensorFromNumbers } from "../../ir/index.ts";
import { type Declined, declined } from "../../rewrite/index.ts";
import { type Operand, stacked } from "../operand.ts";
import type { Fusion, FusionRule } from "../rule.ts";
import { attributesOf } from "./elementwise.ts";

/** Where an axis of one branch lies once the branch axis is at `branch`. */
export function shifted(axis: number, rank: number, branch: number): number {
  const plain = axis < 0 ? axis + rank : axis;
  return plain < branch ? plain : plain + 1;
}

/** One axis as an attribute; the branch axis stays where it is. */
const alongAxis = (fallback: number): FusionRule => ({
  fuse(f, node, [x]) {
    if (!x) return declined("no input");
    const branch = x.kind === "stacked" ? x.axis : 0;
    const axis = shifted(intOf(node, "axis", fallback), x.rank, branch);
    const [made] = f.like(node, [f.at(x, branch)], { axis });
    return [stacked(made, branch, x.rank)];
  },
});

type LayerNorm = "LayerNormalization" | "SimplifiedLayerNormalization";

interface Normalization {
  readonly scale: Operand;
  readonly bias?: Operand | undefined;
  /** Axes that are normalised over, the last ones. */
  readonly behind: number;
  readonly attributes: BuilderAttributes;
}

/** The normalisation is common, scale and shift are those of each branch. */
export function normalized(
  f: Fusion,
  opType: LayerNorm,
  x: Operand,
  { scale, bias, behind, attributes: given }: Normalization,
): Operand | Declined {
  const { rank } = x;
  const branch = x.kind === "stacked" ? x.axis : f.form === "wide" ? rank - 1 : 0;
  if (branch > rank - behind) return declined("a normalisation across the branch axis");
  const value = x.kind === "common" ? x.value : f.at(x, branch);
  const attributes = { ...given, axis: -behind };
  if (scale.kind === "common" && (!bias || bias.kind === "common")) {
    const inputs = bias ? [value, scale.value, bias.value] : [value, scale.value];
    const plain = f.op(opType, inputs, attributes);
    return x.kind === "common" ? { kind: "common", value: plain, rank } : stacked(plain, branch, rank);
  }
  const dims = f.dimsOf(scale);
  if (!dims.every((dim) => typeof dim === "number")) return declined("a scale of unknown length");
  const dtype = f.dtype(value);
  const count = dims.reduce((a, b) => a * b, 1);
  const ones = f.op("Constant", [], {
    value: tensorFromNumbers(dtype, dims, new Float64Array(boundedSize(count)).fill(1)),
  });
  const plain = f.op(opType, [value, ones], attributes);
  const unit = x.kind === "common" ? { kind: "common" as const, value: plain, rank } : stacked(plain, branch, rank);
  const scaled = f.op("Mul", [f.aligned(unit, branch, rank), f.aligned(scale, branch, rank)]);
  const result = bias ? f.op("Add", [scaled, f.aligned(bias, branch, rank)]) : scaled;
  if (behind === 1) f.note(result, { unit, scale, ...(bias && { shift: bias }) });
  return stacked(result, branch, rank);
}

/** Over the axes from one on. */
const layerNorm = (opType: LayerNorm): FusionRule => ({
  fuse(f, node, [x, scale, bias]) {
    if (!x || !scale || node.outputs.length > 1) return declined("statistics as outputs");
    const behind = x.rank - shifted(intOf(node, "axis", -1), x.rank, x.rank + 1);
    const y = normalized(f, opType, x, { scale, bias, behind, attributes: attributesOf(node) });
    return "declined" in y ? y : [y];
  },
});

export const normRules = {
  Hardmax: alongAxis(-1),
  LayerNormalization: layerNorm("LayerNormalization"),
  LogSoftmax: alongAxis(-1),
  LpNormalization: alongAxis(-1),
  SimplifiedLayerNormalization: layerNorm("SimplifiedLayerNormalization"),
  Softmax: alongAxis(-1),
} satisfies Record<string, FusionRule>;

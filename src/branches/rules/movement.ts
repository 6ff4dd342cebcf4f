/** @file Operators that move, cut and join: the branch axis goes in front or stays where it is. */
import { boundOf, intOf, intsOf, numbersOf } from "../../ir/index.ts";
import { type Declined, declined } from "../../rewrite/index.ts";
import { type Operand, stacked } from "../operand.ts";
import type { Fusion, FusionRule, SumRule } from "../rule.ts";
import { attributesOf, branchAxis } from "./elementwise.ts";
import { shifted } from "./norm.ts";

/** The integers of a constant that all branches share. */
function intsIn(f: Fusion, operand: Operand | undefined): readonly number[] | undefined {
  const tensor = f.constant(operand);
  return tensor && Array.from(numbersOf(tensor));
}

const computed: Declined = declined("axes or lengths that are computed or differ between branches");

/** A sum of moved tensors is the moved sum; the other inputs are shared. */
const moved: SumRule = {
  through: (node, isCommon) => (node.inputs.every((_, i) => i === 0 || isCommon(i)) ? [0] : undefined),
  emit(f, node, [x, ...others]) {
    const shared = others.map((operand) => (operand?.kind === "common" ? operand.value : undefined));
    return f.like(node, [f.sum(x!), ...shared])[0];
  },
};

/** In front, so that what the operator says of the other axes shifts by one. */
const reshape: FusionRule = {
  fuse(f, node, [x, shape]) {
    if (!x || shape?.kind !== "common") return computed;
    const known = f.constant(shape);
    const target = known
      ? f.ints([f.count, ...numbersOf(known)])
      : f.op("Concat", [f.ints([f.count]), shape.value], { axis: 0 });
    const value = f.op("Reshape", [f.at(x, 0), target], attributesOf(node));
    return [stacked(value, 0, f.dims(node.outputs[0]).length)];
  },
  sum: moved,
};

const flatten: FusionRule = {
  fuse(f, node, [x]) {
    const axis = intOf(node, "axis", 1);
    const plain = axis < 0 ? axis + x!.rank : axis;
    if (plain > 1) return declined("a matrix of several leading axes");
    const lead = plain === 0 ? 1 : 0;
    const value = f.op("Reshape", [f.at(x!, 0), f.ints([f.count, lead, -1])]);
    return [stacked(value, 0, 2)];
  },
  sum: moved,
};

const transpose: FusionRule = {
  fuse(f, node, [x]) {
    const perm = intsOf(node, "perm") ?? [...Array(x!.rank).keys()].toReversed();
    return [stacked(f.op("Transpose", [f.at(x!, 0)], { perm: [0, ...perm.map((axis) => axis + 1)] }), 0, x!.rank)];
  },
  sum: moved,
};

const expand: FusionRule = {
  fuse(f, node, [x, shape]) {
    if (!x || shape?.kind !== "common") return computed;
    const rank = f.dims(node.outputs[0]).length;
    const target = f.op("Concat", [f.ints([f.count]), shape.value], { axis: 0 });
    const { length } = f.dims(shape.value);
    if (length !== 1 || f.dims(shape.value)[0] !== rank) return declined("a shape of fewer axes than the result");
    return [stacked(f.op("Expand", [f.aligned(x, 0, rank), target]), 0, rank)];
  },
  sum: moved,
};

/** Input 1 holds axes of the first input (Squeeze) or of the result (Unsqueeze). */
function insertion(opType: "Squeeze" | "Unsqueeze"): FusionRule {
  return {
    fuse(f, node, [x, axes]) {
      const list = intsIn(f, axes);
      if (!x || !list) return computed;
      const rank = f.dims(node.outputs[0]).length;
      const of = Math.max(rank, x.rank);
      const target = list.map((axis) => shifted(axis, of, 0));
      return [stacked(f.op(opType, [f.at(x, 0), f.ints(target)]), 0, rank)];
    },
    sum: moved,
  };
}

const split: FusionRule = {
  fuse(f, node, [x, sizes]) {
    if (!x || (sizes && sizes.kind !== "common")) return computed;
    const branch = x.kind === "stacked" ? x.axis : 0;
    const axis = shifted(intOf(node, "axis", 0), x.rank, branch);
    const inputs = sizes?.kind === "common" ? [f.at(x, branch), sizes.value] : [f.at(x, branch)];
    const parts = f.ops("Split", inputs, node.outputs.length, { ...attributesOf(node), axis });
    return parts.map((value) => stacked(value, branch, x.rank));
  },
};

const concat: FusionRule = {
  fuse(f, node, operands) {
    const rank = f.dims(node.outputs[0]).length;
    const branch = branchAxis(f, operands, rank);
    const axis = shifted(intOf(node, "axis", 0), rank, branch);
    const inputs = operands.map((operand) => operand && f.repeated(operand, branch));
    return [stacked(f.op("Concat", inputs, { axis }), branch, rank)];
  },
};

const slice: FusionRule = {
  fuse(f, _, [x, starts, ends, axes, steps]) {
    if (!x || starts?.kind !== "common" || ends?.kind !== "common" || (steps && steps.kind !== "common"))
      return computed;
    const branch = x.kind === "stacked" ? x.axis : 0;
    const count = f.dims(starts.value)[0];
    const list = axes ? intsIn(f, axes) : typeof count === "number" ? [...Array(count).keys()] : undefined;
    if (!list) return computed;
    const target = f.ints(list.map((axis) => shifted(axis, x.rank, branch)));
    const inputs = [f.at(x, branch), starts.value, ends.value, target, ...(steps ? [steps.value] : [])];
    return [stacked(f.op("Slice", inputs), branch, x.rank)];
  },
};

const gather: FusionRule = {
  fuse(f, node, [x, indices]) {
    if (!x || indices?.kind !== "common") return declined("indices that differ between branches");
    const branch = x.kind === "stacked" ? x.axis : 0;
    const axis = shifted(intOf(node, "axis", 0), x.rank, branch);
    const value = f.op("Gather", [f.at(x, branch), indices.value], { axis });
    const rank = x.rank - 1 + indices.rank;
    return [stacked(value, axis < branch ? branch - 1 + indices.rank : branch, rank)];
  },
};

const pad: FusionRule = {
  fuse(f, node, [x, pads, fill, axes]) {
    const list = intsIn(f, pads);
    if (!x || !list || axes || (fill && fill.kind !== "common")) return computed;
    const both = [0, ...list.slice(0, x.rank), 0, ...list.slice(x.rank)];
    const inputs = [f.at(x, 0), f.ints(both), ...(fill ? [fill.value] : [])];
    return [stacked(f.op("Pad", inputs, attributesOf(node)), 0, x.rank)];
  },
};

const tile: FusionRule = {
  fuse(f, _, [x, repeats]) {
    const list = intsIn(f, repeats);
    if (!x || !list) return computed;
    return [stacked(f.op("Tile", [f.at(x, 0), f.ints([1, ...list])]), 0, x.rank)];
  },
};

/** All branches have the same. */
const shape: FusionRule = {
  fuse(f, node, [x]) {
    const after = (axis: number): number => (axis < 0 ? axis : Math.min(axis + 1, Number.MAX_SAFE_INTEGER));
    const end = boundOf(node, "end");
    const bounds = { start: after(boundOf(node, "start") ?? 0), ...(end !== undefined && { end: after(end) }) };
    return [{ kind: "common", value: f.op("Shape", [f.at(x!, 0)], bounds), rank: 1 }];
  },
};

export const movementRules = {
  Concat: concat,
  Expand: expand,
  Flatten: flatten,
  Gather: gather,
  Pad: pad,
  Reshape: reshape,
  Shape: shape,
  Slice: slice,
  Split: split,
  Squeeze: insertion("Squeeze"),
  Tile: tile,
  Transpose: transpose,
  Unsqueeze: insertion("Unsqueeze"),
} satisfies Record<string, FusionRule>;

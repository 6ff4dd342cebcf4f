/** @file Elementwise operators: the same operator over aligned branch axes. */
import { nth } from "../../checked.ts";
import type { BuilderAttributes, Dims, Inputs, Node, Value } from "../../ir/index.ts";
import { type Operand, type Stacked, stacked } from "../operand.ts";
import type { Fusion, FusionRule, Operands, SumRule } from "../rule.ts";

export function attributesOf(node: Node): BuilderAttributes {
  return Object.fromEntries(node.attributes);
}

/** The axis on which the first stacked operand has the branches; for products of common values, that of the form. */
export function branchAxis(f: Fusion, operands: Operands, rank: number): number {
  const lead = operands
    .filter((operand) => operand?.kind === "stacked")
    .toSorted((a, b) => b.rank - a.rank)
    .find((operand) => operand !== undefined);
  if (lead) return rank - lead.rank + lead.axis;
  return f.form === "wide" && rank > 1 ? rank - 1 : 0;
}

export const elementwise: FusionRule = {
  fuse: (f, node, operands) => {
    return elementwiseOver(f, operands, f.dims(node.outputs[0]), (inputs) => f.like(node, inputs));
  },
};

/** One node over operands that broadcast to the given dims, not all of which are common. */
export function elementwiseOver(
  f: Fusion,
  operands: Operands,
  dims: Dims,
  emit: (inputs: Inputs) => readonly Value[],
): Stacked[] {
  const merged = overMerged(f, operands, dims);
  if (merged) return emit(merged.inputs).map((value) => f.split(value, dims, merged.axis));
  const rank = dims.length;
  const axis = branchAxis(f, operands, rank);
  return emit(operands.map((operand) => operand && f.aligned(operand, axis, rank))).map((value) =>
    stacked(value, axis, rank),
  );
}

/** x + shift. */
export function added(f: Fusion, x: Stacked, shift: Operand): Stacked {
  return nth(
    elementwiseOver(f, [x, shift], f.dimsOf(x), (inputs) => [f.op("Add", inputs)]),
    0,
  );
}

/** Of two shifts one after another, the shifts are added first, which are smaller. */
const addition: FusionRule = {
  fuse(f, node, operands) {
    for (const [shifted, other] of [operands, operands.toReversed()]) {
      const parts = f.partsOf(shifted);
      const isShift = other?.kind === "own" && other.rank === 1;
      if (!isShift || !parts?.shift || parts.scale || parts.unit.kind !== "stacked") continue;
      const both = f.op("Add", [f.aligned(parts.shift, 0, 1), f.aligned(other, 0, 1)]);
      return [added(f, parts.unit, stacked(both, 0, 1))];
    }
    return elementwise.fuse(f, node, operands);
  },
};

/**
 * What lies one after another stays so, between convolutions and after a wide product: where all others are merged
 * alike, scalars, or one number per channel of each branch.
 */
function overMerged(f: Fusion, operands: Operands, dims: Dims) {
  const lead = operands.find((operand) => f.isMerged(operand));
  if (lead?.kind !== "stacked" || lead.rank !== dims.length) return undefined;
  const { axis } = lead;
  const inputs = operands.map((operand) => {
    if (!operand || operand.kind === "sum" || operand.kind === "parts") return undefined;
    if (operand.kind === "common") return operand.rank === 0 ? operand.value : undefined;
    const own = f.dimsOf(operand);
    const isWhole = operand.kind === "stacked" && operand.axis === axis && own.join() === dims.join();
    if (isWhole) return f.merged(operand, axis);
    const isPerChannel = own.length === dims.length - axis && own[0] === dims[axis];
    const isFirst = operand.kind === "own" || operand.axis === 0;
    return isPerChannel && isFirst ? f.joined(operand, 0) : undefined;
  });
  return inputs.some((value, i) => !value && operands[i]) ? undefined : { inputs, axis };
}

/** Σ(a ± b) = Σa ± Σb. */
const termByTerm: SumRule = {
  through: (node) => [...node.inputs.keys()],
  emit(f, node, operands) {
    const sums = operands.map((operand) => operand && f.sum(operand));
    return f.like(node, sums)[0];
  },
};

/** Σ(a·c) = (Σa)·c for a common c. */
function scaling(inputs: readonly number[]): SumRule {
  return {
    through: (_, isCommon) => {
      const open = inputs.filter((input) => !isCommon(input));
      return open.length === 1 ? open : undefined;
    },
    emit(f, node, operands) {
      const sums = operands.map((operand) => operand && (operand.kind === "common" ? operand.value : f.sum(operand)));
      return f.like(node, sums)[0];
    },
  };
}

const timesCommon: SumRule = {
  ...scaling([0, 1]),
  through: (_, isCommon) => (isCommon(0) === isCommon(1) ? undefined : [isCommon(0) ? 1 : 0]),
};

const overCommon: SumRule = {
  ...scaling([0]),
  through: (_, isCommon) => (isCommon(1) && !isCommon(0) ? [0] : undefined),
};

const linear = (sum: SumRule): FusionRule => ({ ...elementwise, sum });

export const elementwiseRules = {
  Abs: elementwise,
  Add: { ...addition, sum: termByTerm },
  And: elementwise,
  Cast: elementwise,
  Ceil: elementwise,
  Celu: elementwise,
  Clip: elementwise,
  Cos: elementwise,
  Div: linear(overCommon),
  Dropout: elementwise,
  Elu: elementwise,
  Equal: elementwise,
  Erf: elementwise,
  Exp: elementwise,
  Floor: elementwise,
  Gelu: elementwise,
  Greater: elementwise,
  GreaterOrEqual: elementwise,
  HardSigmoid: elementwise,
  HardSwish: elementwise,
  Identity: linear(termByTerm),
  IsInf: elementwise,
  IsNaN: elementwise,
  LeakyRelu: elementwise,
  Less: elementwise,
  LessOrEqual: elementwise,
  Log: elementwise,
  Max: elementwise,
  Mean: linear(termByTerm),
  Min: elementwise,
  Mish: elementwise,
  Mod: elementwise,
  Mul: linear(timesCommon),
  Neg: linear(termByTerm),
  Not: elementwise,
  Or: elementwise,
  PRelu: elementwise,
  Pow: elementwise,
  Reciprocal: elementwise,
  Relu: elementwise,
  Round: elementwise,
  Selu: elementwise,
  Sigmoid: elementwise,
  Sign: elementwise,
  Sin: elementwise,
  Softplus: elementwise,
  Softsign: elementwise,
  Sqrt: elementwise,
  Sub: linear(termByTerm),
  Sum: linear(termByTerm),
  Tanh: elementwise,
  ThresholdedRelu: elementwise,
  Where: elementwise,
  Xor: elementwise,
} satisfies Record<string, FusionRule>;

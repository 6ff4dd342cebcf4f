/** @file Elementwise operators: the same operator over aligned branch axes. */
import type { BuilderAttributes, Node } from "../../../ir/index.ts";
import { type Operand, stacked } from "../operand.ts";
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

const elementwise: FusionRule = {
  fuse(f, node, operands) {
    const rank = f.dims(node.outputs[0]).length;
    const merged = overChannels(f, node, operands);
    if (merged) return [merged];
    const axis = branchAxis(f, operands, rank);
    const inputs = operands.map((operand) => operand && f.aligned(operand, axis, rank));
    const outputs = f.ops(node.opType, inputs, node.outputs.length, attributesOf(node));
    return outputs.map((value) => stacked(value, axis, rank));
  },
};

/** Between convolutions the channels stay joined: nothing but a stacked tensor and scalars takes part. */
function overChannels(f: Fusion, node: Node, operands: Operands): Operand | undefined {
  const dims = f.dims(node.outputs[0]);
  const isPlain = (operand: Operand | undefined): boolean =>
    operand === undefined || (operand.kind === "common" && operand.rank === 0);
  const isJoined = (operand: Operand | undefined): boolean =>
    operand?.kind === "stacked" && operand.axis === 1 && operand.rank === dims.length && dims.length > 2;
  if (!operands.some(isJoined) || !operands.every((operand) => isPlain(operand) || isJoined(operand))) return undefined;
  if (node.outputs.length > 1) return undefined;
  const isWhole = node.inputs.every((value, i) => isPlain(operands[i]) || f.dims(value).join() === dims.join());
  if (!isWhole) return undefined;
  const inputs = operands.map(
    (operand) => operand && (isPlain(operand) ? f.aligned(operand, 0, 0) : f.channels(operand)),
  );
  return f.split(f.op(node.opType, inputs, attributesOf(node)), dims);
}

/** Σ(a ± b) = Σa ± Σb. */
const termByTerm: SumRule = {
  through: (node) => [...node.inputs.keys()],
  emit: (f, node, operands) =>
    f.op(
      node.opType,
      operands.map((operand) => operand && f.sum(operand)),
      attributesOf(node),
    ),
};

/** Σ(a·c) = (Σa)·c for a common c. */
function scaling(inputs: readonly number[]): SumRule {
  return {
    through: (_, isCommon) => {
      const open = inputs.filter((input) => !isCommon(input));
      return open.length === 1 ? open : undefined;
    },
    emit: (f, node, operands) =>
      f.op(
        node.opType,
        operands.map((operand) => operand && (operand.kind === "common" ? operand.value : f.sum(operand))),
        attributesOf(node),
      ),
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
  Add: linear(termByTerm),
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

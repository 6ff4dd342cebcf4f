/** @file Elementwise operators: unary, broadcasting, comparing, logical, bitwise, activations. */
import { type DataType, type Dims, intOf, type ValueType } from "../ir/index.ts";
import { broadcastAxes, throughAxes } from "./axes.ts";
import { costPerOutput } from "./cost.ts";
import { asTensor, broadcastDims, dimsOf, dtypeOf, typed } from "./dims.ts";
import type { AxisRule, Exactness, InferContext, InferRule, NodeFacts, OpSpec, SymbolRule, TypedNode } from "./spec.ts";
import {
  addNames,
  binarySymbols,
  divideNames,
  equalNames,
  greaterNames,
  maxNames,
  multiplyNames,
  subtractNames,
  unarySymbols,
  zipSymbols,
} from "./symbols.ts";

interface Parts {
  readonly exactness?: Exactness;
  readonly symbols?: SymbolRule | undefined;
}

/** Output 0 has the type of input 0; so have further outputs. */
export const sameType: InferRule = (context) => context.node.outputs.map(() => asTensor(context.input(0)));

/** The dims of input 0 with another element type. */
export function recast(dtype: DataType): InferRule {
  return (context) => [typed(dtype, dimsOf(context, 0))];
}

export function pointwise(since: readonly number[], infer: InferRule, { exactness = "rounding", symbols }: Parts = {}) {
  const entry: OpSpec = { since, infer, axes: throughAxes(), cost: costPerOutput, exactness };
  return symbols ? { ...entry, symbols } : entry;
}

function unary(since: readonly number[], parts: Parts = {}): OpSpec {
  return pointwise(since, sameType, parts);
}

/** Before opset 7 the second input was fitted into the first, at the attribute `axis`. */
function legacyBroadcast({ version, node }: NodeFacts): boolean {
  return version < 7 && (node.domain === "" || node.domain === "ai.onnx");
}

export function broadcastType(context: InferContext, dtype: DataType | undefined): ValueType | undefined {
  if (legacyBroadcast(context) && context.node.inputs.length === 2) return typed(dtype, dimsOf(context, 0));
  return typed(dtype, broadcastDims(context.node.inputs.map((_, i) => dimsOf(context, i))));
}

function broadcastPlace(node: TypedNode, input: Dims, output: Dims): number {
  const axis = legacyBroadcast(node) ? intOf(node.node, "axis") : undefined;
  const right = output.length - input.length;
  if (axis === undefined || right === 0) return right;
  return axis < 0 ? axis + output.length : axis;
}

export const broadcastLinks: AxisRule = broadcastAxes(broadcastPlace);

export function broadcasting(since: readonly number[], dtype: DataType | undefined, parts: Parts = {}): OpSpec {
  const { exactness = "rounding", symbols } = parts;
  const infer: InferRule = (context) => [broadcastType(context, dtype ?? firstDtype(context))];
  const entry: OpSpec = { since, infer, axes: broadcastLinks, cost: costPerOutput, exactness };
  return symbols ? { ...entry, symbols } : entry;
}

function firstDtype(context: InferContext): DataType | undefined {
  for (const i of context.node.inputs.keys()) {
    const dtype = dtypeOf(context, i);
    if (dtype) return dtype;
  }
  return undefined;
}

const exact = { exactness: "exact" } as const;

/** The slope is spread over the input, which keeps its dims. */
const preluPlace = (node: TypedNode, input: Dims, output: Dims): number =>
  legacyBroadcast(node) && input.length === 1 && output.length > 1 ? 1 : output.length - input.length;

const whereSymbols: SymbolRule = (facts) =>
  zipSymbols(facts, [0, 1, 2], ([condition, a, b]) =>
    typeof condition === "number" ? (condition === 0 ? b! : a!) : a === b ? a! : "",
  );

const clipSymbols: SymbolRule = (facts) => {
  const low = facts.symbols(1)?.[0] ?? Number.NEGATIVE_INFINITY;
  const high = facts.symbols(2)?.[0] ?? Number.POSITIVE_INFINITY;
  const missing = facts.node.inputs.slice(1).some((value, i) => value && !facts.symbols(i + 1));
  if (missing || facts.version < 11 || typeof low !== "number" || typeof high !== "number") return undefined;
  return facts.symbols(0)?.map((item) => (typeof item === "number" ? Math.min(high, Math.max(low, item)) : ""));
};

const less = (a: number, b: number): number => Number(a < b);
const lessOrEqual = (a: number, b: number): number => Number(a <= b);

export const elementwiseOps = {
  Abs: unary([1, 6, 13], { ...exact, symbols: unarySymbols(Math.abs, true) }),
  Acos: unary([7, 22]),
  Acosh: unary([9, 22]),
  Affine: unary([1]),
  Asin: unary([7, 22]),
  Asinh: unary([9, 22]),
  Atan: unary([7, 22]),
  Atanh: unary([9, 22]),
  Ceil: unary([1, 6, 13], { ...exact, symbols: unarySymbols(Math.ceil, true) }),
  Celu: unary([12, 28]),
  Clip: { ...unary([1, 6, 11, 12, 13], { ...exact, symbols: clipSymbols }), weights: { settings: [1, 2] } },
  Cos: unary([7, 22]),
  Cosh: unary([9, 22]),
  Elu: unary([1, 6, 22]),
  Erf: unary([9, 13]),
  Exp: unary([1, 6, 13]),
  Floor: unary([1, 6, 13], { ...exact, symbols: unarySymbols(Math.floor, true) }),
  Gelu: unary([20]),
  HardSigmoid: unary([1, 6, 22]),
  HardSwish: unary([14, 22]),
  IsInf: pointwise([10, 20], recast("bool"), exact),
  IsNaN: pointwise([9, 13, 20], recast("bool"), exact),
  LeakyRelu: unary([1, 6, 16]),
  Log: unary([1, 6, 13]),
  Mish: unary([18, 22]),
  Neg: unary([1, 6, 13], { ...exact, symbols: unarySymbols((value) => -value) }),
  Not: pointwise([1], recast("bool"), { ...exact, symbols: unarySymbols((value) => (value === 0 ? 1 : 0)) }),
  ParametricSoftplus: unary([1]),
  Reciprocal: unary([1, 6, 13], { symbols: unarySymbols((value) => 1 / value) }),
  Relu: unary([1, 6, 13, 14], { ...exact, symbols: unarySymbols((value) => Math.max(0, value), true) }),
  Round: unary([11, 22], exact),
  ScaledTanh: unary([1]),
  Selu: unary([1, 6, 22]),
  Shrink: unary([9]),
  Sigmoid: unary([1, 6, 13]),
  Sign: unary([9, 13], { ...exact, symbols: unarySymbols(Math.sign) }),
  Sin: unary([7, 22]),
  Sinh: unary([9, 22]),
  Softplus: unary([1, 22]),
  Softsign: unary([1, 22]),
  Sqrt: unary([1, 6, 13], { symbols: unarySymbols(Math.sqrt) }),
  SwiGLU: broadcasting([28], undefined),
  Swish: unary([24]),
  Tan: unary([7, 22]),
  Tanh: unary([1, 6, 13]),
  ThresholdedRelu: unary([10, 22]),

  Add: broadcasting([1, 6, 7, 13, 14], undefined, { symbols: binarySymbols((a, b) => a + b, addNames) }),
  Sub: broadcasting([1, 6, 7, 13, 14], undefined, { symbols: binarySymbols((a, b) => a - b, subtractNames) }),
  Mul: broadcasting([1, 6, 7, 13, 14], undefined, { symbols: binarySymbols((a, b) => a * b, multiplyNames) }),
  Div: broadcasting([1, 6, 7, 13, 14], undefined, { symbols: binarySymbols((a, b) => a / b, divideNames) }),
  Mod: broadcasting([10, 13, 28], undefined, { ...exact, symbols: modSymbols() }),
  Pow: broadcasting([1, 7, 12, 13, 15], undefined, { symbols: binarySymbols((a, b) => a ** b) }),
  Max: broadcasting([1, 6, 8, 12, 13], undefined, { ...exact, symbols: binarySymbols(Math.max, maxNames) }),
  Min: broadcasting([1, 6, 8, 12, 13], undefined, { ...exact, symbols: binarySymbols(Math.min) }),
  Mean: broadcasting([1, 6, 8, 13], undefined),
  Sum: broadcasting([1, 6, 8, 13], undefined),
  PRelu: {
    since: [1, 6, 7, 9, 16],
    infer: sameType,
    axes: broadcastAxes(preluPlace),
    cost: costPerOutput,
    exactness: "rounding",
  },
  Where: {
    since: [9, 16],
    infer: (context) => [broadcastType(context, dtypeOf(context, 1) ?? dtypeOf(context, 2))],
    axes: broadcastLinks,
    cost: costPerOutput,
    exactness: "exact",
    symbols: whereSymbols,
  },

  And: broadcasting([1, 7], "bool", { ...exact, symbols: binarySymbols((a, b) => a * b) }),
  Or: broadcasting([1, 7], "bool", { ...exact, symbols: binarySymbols((a, b) => Math.max(a, b)) }),
  Xor: broadcasting([1, 7], "bool", { ...exact, symbols: binarySymbols((a, b) => Number(a !== b)) }),
  Equal: broadcasting([1, 7, 11, 13, 19], "bool", {
    ...exact,
    symbols: binarySymbols((a, b) => Number(a === b), equalNames),
  }),
  Greater: broadcasting([1, 7, 9, 13], "bool", {
    ...exact,
    symbols: binarySymbols((a, b) => Number(a > b), greaterNames),
  }),
  GreaterOrEqual: broadcasting([12, 16], "bool", { ...exact, symbols: binarySymbols((a, b) => Number(a >= b)) }),
  Less: broadcasting([1, 7, 9, 13], "bool", {
    ...exact,
    symbols: binarySymbols(less, (a, b) => greaterNames(b, a)),
  }),
  LessOrEqual: broadcasting([12, 16], "bool", { ...exact, symbols: binarySymbols(lessOrEqual) }),

  BitShift: broadcasting([11, 28], undefined, exact),
  BitwiseAnd: broadcasting([18], undefined, exact),
  BitwiseNot: unary([18], exact),
  BitwiseOr: broadcasting([18], undefined, exact),
  BitwiseXor: broadcasting([18], undefined, exact),
} satisfies Record<string, OpSpec>;

function modSymbols(): SymbolRule {
  const floored = binarySymbols((a, b) => a - b * Math.floor(a / b));
  const truncated = binarySymbols((a, b) => a % b);
  return (facts, output) => (intOf(facts.node, "fmod", 0) === 1 ? truncated : floored)(facts, output);
}

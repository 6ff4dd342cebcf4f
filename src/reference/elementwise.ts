/** @file Elementwise operators: one function per operator, and how it is mapped over broadcast arrays. */
import { nth } from "../checked.ts";
import { ShapeError } from "../errors.ts";
import { type DataType, floatOf, floatsAttribute, intOf, roundHalfEven, stringOf } from "../ir/index.ts";
import {
  bigints,
  type Dense,
  dense,
  isBig,
  isFloat,
  largerOf,
  numbers,
  retyped,
  select,
  slotsOf,
  smallerOf,
  texts,
} from "./dense.ts";
import { broadcastDims, broadcastMap, broadcastTo } from "./indexing.ts";
import { type Call, inputOf, type Kernel, type Kernels, optionalInput, presentInputs } from "./kernel.ts";
import { erf } from "./special.ts";

export type Unary = (x: number) => number;
export type Binary = (a: number, b: number) => number;

/** `f` over every element. */
export function mapped(x: Dense, f: Unary): Dense {
  return dense(x.dtype, x.dims, numbers(x).map(f));
}

/** `f` over pairs of elements, broadcast together. */
export function zipped(a: Dense, b: Dense, f: Binary, dtype: DataType = a.dtype): Dense {
  const dims = broadcastDims(a.dims, b.dims);
  const [left, right] = [numbers(broadcastTo(a, dims)), numbers(broadcastTo(b, dims))];
  return dense(
    dtype,
    dims,
    left.map((value, i) => f(value, right[i]!)),
  );
}

function zippedBig(a: Dense, b: Dense, f: (a: bigint, b: bigint) => bigint): Dense {
  const dims = broadcastDims(a.dims, b.dims);
  const [left, right] = [bigints(broadcastTo(a, dims)), bigints(broadcastTo(b, dims))];
  const data = a.dtype === "uint64" ? new BigUint64Array(left.length) : new BigInt64Array(left.length);
  for (let i = 0; i < data.length; i++) data[i] = f(left[i]!, right[i]!);
  return { dtype: a.dtype, dims, data };
}

function unary(f: Unary, big?: (x: bigint) => bigint): Kernel {
  return (call) => {
    const x = inputOf(call, 0);
    return big && isBig(x.dtype) ? zippedBig(x, x, big) : mapped(x, f);
  };
}

type Parameterised = (call: Call) => Unary;

function activation(make: Parameterised): Kernel {
  return (call) => mapped(inputOf(call, 0), make(call));
}

/** Opset 6 and before: `axis` says where the dims of the second input begin. */
function legacyAligned(call: Call, a: Dense, b: Dense): Dense {
  const axis = intOf(call.node, "axis");
  if (axis === undefined || call.version >= 7) return b;
  const after = Math.max(0, a.dims.length - axis - b.dims.length);
  return { ...b, dims: [...b.dims, ...new Array<number>(after).fill(1)] };
}

function binary(f: Binary, big?: (a: bigint, b: bigint) => bigint): (call: Call) => Dense {
  return (call) => {
    const a = inputOf(call, 0);
    const b = legacyAligned(call, a, inputOf(call, 1));
    return big && isBig(a.dtype) && isBig(b.dtype) ? zippedBig(a, b, big) : zipped(a, b, f);
  };
}

function comparison(f: (a: number | bigint | string, b: number | bigint | string) => boolean): Kernel {
  return (call) => {
    const a = inputOf(call, 0);
    const b = legacyAligned(call, a, inputOf(call, 1));
    const dims = broadcastDims(a.dims, b.dims);
    const [left, right] = [broadcastTo(a, dims).data, broadcastTo(b, dims).data];
    return dense(
      "bool",
      dims,
      new Float64Array(left.length).map((_, i) => (f(left[i]!, right[i]!) ? 1 : 0)),
    );
  };
}

function logical(f: (a: boolean, b: boolean) => boolean): Kernel {
  return binary((a, b) => (f(a !== 0, b !== 0) ? 1 : 0));
}

/** Folds any number of broadcast inputs. */
function variadic(f: Binary, big?: (a: bigint, b: bigint) => bigint): Kernel {
  return (call) =>
    presentInputs(call).reduce((a, b) => (big && isBig(a.dtype) ? zippedBig(a, b, big) : zipped(a, b, f)));
}

function mean(call: Call): Dense {
  const inputs = presentInputs(call);
  return mapped(
    inputs.reduce((a, b) => zipped(a, b, add)),
    (sum) => sum / inputs.length,
  );
}

const add: Binary = (a, b) => a + b;
const integerPart: Unary = (x) => Math.trunc(x);

function multiply(call: Call): Dense {
  const a = inputOf(call, 0);
  if (isFloat(a.dtype)) return binary((x, y) => x * y)(call);
  const exact: Binary = (x, y) => (Math.abs(x * y) <= Number.MAX_SAFE_INTEGER ? x * y : Math.imul(x, y));
  return binary(exact, (x, y) => x * y)(call);
}

function divide(call: Call): Dense {
  const f: Binary = isFloat(inputOf(call, 0).dtype) ? (a, b) => a / b : (a, b) => integerPart(a / b);
  return binary(f, (a, b) => (b === 0n ? 0n : a / b))(call);
}

function modulo(call: Call): Dense {
  const truncating = intOf(call.node, "fmod", 0) === 1;
  const f: Binary = truncating ? (a, b) => a % b : (a, b) => a - Math.floor(a / b) * b;
  const big = (a: bigint, b: bigint): bigint => {
    const rest = a % b;
    return truncating || rest === 0n || rest < 0n === b < 0n ? rest : rest + b;
  };
  return binary(f, big)(call);
}

function power(call: Call): Dense {
  const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
  return zipped(a, legacyAligned(call, a, b), (x, y) => x ** y);
}

function shift(call: Call): Dense {
  const left = stringOf(call.node, "direction") === "LEFT";
  const f: Binary = (a, b) => (left ? a * 2 ** b : Math.floor(a / 2 ** b));
  const big = (a: bigint, b: bigint): bigint => (left ? a << b : a >> b);
  return binary(f, big)(call);
}

/** Bounds are attributes before opset 11 and inputs from then on. */
function clip(call: Call): Dense {
  const x = inputOf(call, 0);
  const bound = (i: number, name: string): Dense | undefined => {
    const given = call.version < 11 ? floatOf(call.node, name) : undefined;
    return given === undefined ? optionalInput(call, i) : dense(x.dtype, [], [given]);
  };
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  if (isBig(x.dtype)) {
    const raised = low ? zippedBig(x, low, largerOf) : x;
    return high ? zippedBig(raised, high, smallerOf) : raised;
  }
  const raised = low ? zipped(x, low, Math.max) : x;
  return high ? zipped(raised, high, Math.min) : raised;
}

function where(call: Call): Dense {
  const [condition, a, b] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
  const dims = broadcastDims(condition.dims, a.dims, b.dims);
  const chosen = numbers(broadcastTo(condition, dims));
  const result = select(a, dims, broadcastMap(a.dims, dims));
  const [other, to] = [slotsOf(broadcastTo(b, dims)), slotsOf(result)];
  chosen.forEach((yes, i) => {
    if (yes === 0) to[i] = other[i];
  });
  return result;
}

/** Slopes broadcast to the right; from opset 6 and before, along channels. */
function prelu(call: Call): Dense {
  const [x, given] = [inputOf(call, 0), inputOf(call, 1)];
  const perChannel = given.dims.length === 1 && call.version < 7 && x.dims.length > 1;
  const slope = perChannel ? { ...given, dims: [nth(given.dims, 0), ...x.dims.slice(2).map(() => 1)] } : given;
  return zipped(x, slope, (a, b) => (a < 0 ? a * b : a));
}

function isInfinite(call: Call): Dense {
  const positive = intOf(call.node, "detect_positive", 1) === 1;
  const negative = intOf(call.node, "detect_negative", 1) === 1;
  const f: Unary = (x) =>
    (positive && x === Number.POSITIVE_INFINITY) || (negative && x === Number.NEGATIVE_INFINITY) ? 1 : 0;
  return retyped(mapped(inputOf(call, 0), f), "bool");
}

function bitwise(f: Binary, big: (a: bigint, b: bigint) => bigint): Kernel {
  return binary(f, big);
}

const sigmoid: Unary = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
const softplus: Unary = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** Activations by name with the two parameters that recurrent operators give them; defaults as in ONNX. */
export const activations: Readonly<Record<string, (alpha?: number, beta?: number) => Unary>> = {
  Relu: () => (x) => Math.max(x, 0),
  Tanh: () => Math.tanh,
  Sigmoid: () => sigmoid,
  Affine:
    (alpha = 1, beta = 0) =>
    (x) =>
      alpha * x + beta,
  LeakyRelu:
    (alpha = 0.01) =>
    (x) =>
      x < 0 ? alpha * x : x,
  ThresholdedRelu:
    (alpha = 1) =>
    (x) =>
      x > alpha ? x : 0,
  ScaledTanh:
    (alpha = 1, beta = 1) =>
    (x) =>
      alpha * Math.tanh(beta * x),
  HardSigmoid:
    (alpha = 0.2, beta = 0.5) =>
    (x) =>
      Math.max(0, Math.min(1, alpha * x + beta)),
  Elu:
    (alpha = 1) =>
    (x) =>
      x < 0 ? alpha * Math.expm1(x) : x,
  Softsign: () => (x) => x / (1 + Math.abs(x)),
  Softplus: () => softplus,
};

function named(name: string): Kernel {
  return activation(({ node }) => activations[name]!(floatOf(node, "alpha"), floatOf(node, "beta")));
}

const SELU_ALPHA = 1.6732631921768188;
const SELU_GAMMA = 1.0507010221481323;

/** ½x(1 + erf(x/√2)), the exact Gelu. */
export const gelu: Unary = (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2));
/** Gelu by ½x(1 + tanh(√(2/π)(x + 0.044715x³))). */
export const geluTanh: Unary = (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
/** x·σ(αx). */
export const swish = (alpha: number): Unary => {
  return (x) => x * sigmoid(alpha * x);
};

function affineImage(call: Call): Dense {
  const x = inputOf(call, 0);
  const scale = floatOf(call.node, "scale", 1);
  const bias = floatsAttribute(call.node, "bias") ?? [];
  if (x.dims.length !== 4) throw new ShapeError("ImageScaler needs 4 dims", { where: call.where });
  const offsets = dense(x.dtype, [bias.length, 1, 1], bias);
  return zipped(x, offsets, (value, offset) => value * scale + offset);
}

export const elementwise = {
  Abs: unary(Math.abs, (x) => (x < 0n ? -x : x)),
  Acos: unary(Math.acos),
  Acosh: unary(Math.acosh),
  Asin: unary(Math.asin),
  Asinh: unary(Math.asinh),
  Atan: unary(Math.atan),
  Atanh: unary(Math.atanh),
  Ceil: unary(Math.ceil),
  Cos: unary(Math.cos),
  Cosh: unary(Math.cosh),
  Erf: unary(erf),
  Exp: unary(Math.exp),
  Floor: unary(Math.floor),
  Log: unary(Math.log),
  Neg: unary(
    (x) => -x,
    (x) => -x,
  ),
  Reciprocal: unary((x) => 1 / x),
  Round: unary(roundHalfEven),
  Sign: unary(Math.sign, (x) => (x > 0n ? 1n : x < 0n ? -1n : 0n)),
  Sin: unary(Math.sin),
  Sinh: unary(Math.sinh),
  Sqrt: unary(Math.sqrt),
  Tan: unary(Math.tan),
  IsNaN: (call) =>
    retyped(
      mapped(inputOf(call, 0), (x) => (Number.isNaN(x) ? 1 : 0)),
      "bool",
    ),
  IsInf: isInfinite,

  Relu: unary(
    (x) => Math.max(x, 0),
    (x) => (x < 0n ? 0n : x),
  ),
  Sigmoid: unary(sigmoid),
  Tanh: unary(Math.tanh),
  Softplus: unary(softplus),
  Softsign: named("Softsign"),
  LeakyRelu: named("LeakyRelu"),
  ThresholdedRelu: named("ThresholdedRelu"),
  HardSigmoid: named("HardSigmoid"),
  Elu: named("Elu"),
  HardSwish: unary((x) => x * Math.max(0, Math.min(1, x / 6 + 0.5))),
  Mish: unary((x) => x * Math.tanh(softplus(x))),
  Gelu: activation(({ node }) => (stringOf(node, "approximate", "none") === "tanh" ? geluTanh : gelu)),
  Swish: activation(({ node }) => swish(floatOf(node, "alpha", 1))),
  Celu: activation(({ node }) => {
    const alpha = floatOf(node, "alpha", 1);
    return (x) => Math.max(0, x) + Math.min(0, alpha * Math.expm1(x / alpha));
  }),
  Selu: activation(({ node }) => {
    const alpha = floatOf(node, "alpha", SELU_ALPHA);
    const gamma = floatOf(node, "gamma", SELU_GAMMA);
    return (x) => gamma * (x > 0 ? x : alpha * Math.expm1(x));
  }),
  Shrink: activation(({ node }) => {
    const limit = floatOf(node, "lambd", 0.5);
    const bias = floatOf(node, "bias", 0);
    return (x) => (x < -limit ? x + bias : x > limit ? x - bias : 0);
  }),
  PRelu: prelu,
  Clip: clip,
  ImageScaler: affineImage,
  Affine: named("Affine"),
  SwiGLU: (call) => {
    const gated = mapped(inputOf(call, 0), swish(floatOf(call.node, "alpha", 1)));
    return zipped(gated, inputOf(call, 1), (a, b) => a * b);
  },

  Add: binary(add, (a, b) => a + b),
  Sub: binary(
    (a, b) => a - b,
    (a, b) => a - b,
  ),
  Mul: multiply,
  Div: divide,
  Mod: modulo,
  Pow: power,
  BitShift: shift,
  BitwiseAnd: bitwise(
    (a, b) => a & b,
    (a, b) => a & b,
  ),
  BitwiseOr: bitwise(
    (a, b) => a | b,
    (a, b) => a | b,
  ),
  BitwiseXor: bitwise(
    (a, b) => a ^ b,
    (a, b) => a ^ b,
  ),
  BitwiseNot: unary(
    (x) => ~x,
    (x) => ~x,
  ),

  And: logical((a, b) => a && b),
  Or: logical((a, b) => a || b),
  Xor: logical((a, b) => a !== b),
  Not: unary((x) => (x === 0 ? 1 : 0)),
  Equal: comparison((a, b) => a === b),
  Greater: comparison((a, b) => a > b),
  GreaterOrEqual: comparison((a, b) => a >= b),
  Less: comparison((a, b) => a < b),
  LessOrEqual: comparison((a, b) => a <= b),
  Where: where,

  Max: variadic(Math.max, largerOf),
  Min: variadic(Math.min, smallerOf),
  Sum: variadic(add, (a, b) => a + b),
  Mean: mean,

  StringConcat: (call) => {
    const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
    const dims = broadcastDims(a.dims, b.dims);
    const right = texts(broadcastTo(b, dims));
    return { dtype: "string", dims, data: texts(broadcastTo(a, dims)).map((left, i) => left + nth(right, i)) };
  },
} satisfies Kernels;

/** @file Gradients of elementwise operators: dx = dy · f′(x), summed where broadcasting repeated an input. */
import { nth } from "../../checked.ts";
import {
  type DataType,
  dataTypes,
  float,
  floatOf,
  type Node,
  numbersOf,
  stringOf,
  type Value,
} from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type GradientEntry, type GradientRule, stop } from "../rule.ts";

/** What a derivative may be made of: the input, the output and the node's attributes. */
interface Point {
  readonly g: GradientBuilder;
  readonly x: Value;
  readonly y: Value;
  readonly node: Node;
  /** A number of x's dtype. */
  n(value: number): Value;
}

/** dx = dy · derivative. */
function unary(derivative: (point: Point) => Value): GradientRule {
  return (g, node, [dy]) => {
    const [x] = node.inputs;
    const [y] = node.outputs;
    if (!x || !y || !dy) return [];
    return [g.mul(dy, derivative({ g, x, y, node, n: (value) => g.number(value, x) }))];
  };
}

/** dx = dy · mask, where `condition` says where the function passes its input on. */
function masked(condition: (point: Point) => Value): GradientRule {
  return unary((point) => point.g.mask(condition(point), point.x));
}

/** Each input's cotangent is summed to the dims of that input. */
function binary(
  partials: (parts: {
    g: GradientBuilder;
    a: Value;
    b: Value;
    y: Value;
    dy: Value;
  }) => readonly [() => Value, () => Value],
): GradientRule {
  return (g, { inputs: [a, b], outputs: [y] }, [dy], needs) => {
    if (!a || !b || !y || !dy) return [];
    const [da, db] = partials({ g, a, b, y, dy });
    return [needs[0] ? g.sumTo(da(), a) : undefined, needs[1] ? g.sumTo(db(), b) : undefined];
  };
}

function square({ g }: Point, x: Value): Value {
  return g.mul(x, x);
}

/** 1 / (1 + e⁻ˣ). */
function sigmoid(g: GradientBuilder, x: Value): Value {
  return g.sigmoid(x);
}

/**
 * Derivative of x·Φ(x), Φ + x·φ of the standard normal distribution. With u = x/√2: Φ = (1 + erf u) / 2, an affine map that
 * HardSigmoid is between 0 and 1, and x·φ = u / e^(u²) / √π.
 */
function erfGelu({ g, x }: Point): Value {
  const u = g.scale(x, Math.SQRT1_2);
  const distribution = g.op("HardSigmoid", [g.op("Erf", [u])], { alpha: float(0.5), beta: float(0.5) });
  return g.add(distribution, g.scale(g.div(u, g.exp(g.mul(u, u))), 1 / Math.sqrt(Math.PI)));
}

/** Derivative of the tanh form of Gelu, 0.5·x·(1 + tanh u), u = √(2/π)·(x + 0.044715·x³). */
function tanhGelu(point: Point): Value {
  const { g, x, n } = point;
  const k = Math.sqrt(2 / Math.PI);
  const x2 = square(point, x);
  const u = g.mul(x, g.add(n(k), g.scale(x2, k * 0.044715)));
  const t = g.tanh(u);
  const du = g.add(n(k), g.scale(x2, 3 * k * 0.044715));
  const slope = g.mul(g.mul(x, g.sub(n(1), g.mul(t, t))), du);
  return g.scale(g.add(g.add(n(1), t), slope), 0.5);
}

function gelu(point: Point): Value {
  if (stringOf(point.node, "approximate", "none") === "tanh") return tanhGelu(point);
  return erfGelu(point);
}

/** Derivative of x·σ(a·x): σ + a·x·σ·(1 − σ). */
function swish(alpha: number) {
  return ({ g, x, n }: Point): Value => {
    const s = sigmoid(g, g.scale(x, alpha));
    return g.mul(s, g.add(n(1), g.mul(g.scale(x, alpha), g.sub(n(1), s))));
  };
}

/** Derivative of x·tanh(softplus(x)). */
function mish({ g, x, n }: Point): Value {
  const soft = g.add(g.max(x, n(0)), g.log(g.add(n(1), g.exp(g.neg(g.abs(x))))));
  const t = g.tanh(soft);
  return g.add(t, g.mul(g.mul(x, sigmoid(g, x)), g.sub(n(1), g.mul(t, t))));
}

/** Elu-like: y + offset where x ≤ 0 and `slope` where x > 0; `below` is the derivative below zero. */
function piecewise(slope: (node: Node) => number, below: (point: Point) => Value): GradientRule {
  return unary((point) => {
    const { g, x, n, node } = point;
    return g.where(g.greater(x, n(0)), n(slope(node)), below(point));
  });
}

/** y = min(max(x, low), high): where low lies above high, all of y is high. */
const clip: GradientRule = (g, node, [dy], needs) => {
  const [x, low, high] = node.inputs;
  if (!x || !dy) return [];
  const raised = low && !isOrdered(g, low, high) ? g.max(x, low) : x;
  const above = high && g.mask(g.greater(raised, high), x);
  const under = low && g.mask(g.less(x, low), x);
  const below = under && above && raised !== x ? g.mul(under, g.sub(g.number(1, x), above)) : under;
  const outside = above && below ? g.add(above, below) : (above ?? below);
  return [
    outside ? g.mul(dy, g.sub(g.number(1, x), outside)) : dy,
    low && below && needs[1] ? g.sumTo(g.mul(dy, below), low) : undefined,
    high && above && needs[2] ? g.sumTo(g.mul(dy, above), high) : undefined,
  ];
};

/** Whether the lower bound is certainly not above the upper one. */
function isOrdered(g: GradientBuilder, low: Value, high: Value | undefined): boolean {
  if (!high) return true;
  const [least, greatest] = [low, high].map((bound) => g.constant(bound));
  return !!least && !!greatest && numbersOf(least)[0]! <= numbersOf(greatest)[0]!;
}

/** Ties share the gradient equally, so that it stays a mean of the one-sided ones. */
const extreme: GradientRule = (g, { inputs, outputs: [y] }, [dy], needs) => {
  if (!y || !dy) return [];
  const hits = inputs.map((x) => x && g.mask(g.equal(x, y), y));
  const count = hits.reduce((sum, hit) => (sum && hit ? g.add(sum, hit) : (sum ?? hit)));
  const share = count && g.div(dy, count);
  return inputs.map((x, i) => (x && share && needs[i] ? g.sumTo(g.mul(share, nth(hits, i)), x) : undefined));
};

const sum: GradientRule = (g, { inputs }, [dy], needs) =>
  inputs.map((x, i) => (x && dy && needs[i] ? g.sumTo(dy, x) : undefined));

const mean: GradientRule = (g, { inputs }, [dy], needs) =>
  inputs.map((x, i) => (x && dy && needs[i] ? g.sumTo(g.scale(dy, 1 / inputs.length), x) : undefined));

/** a^b: da = dy·b·a^(b−1); db = dy·y·ln a, taken as 0 where a ≤ 0. */
const pow: GradientRule = (g, { inputs: [a, b], outputs: [y] }, [dy], needs) => {
  if (!a || !b || !y || !dy) return [];
  const exponent = g.cast(b, g.dtype(a));
  return [
    needs[0] ? g.sumTo(g.mul(dy, g.mul(exponent, powerBelow(g, a, b, exponent))), a) : undefined,
    needs[1] ? g.cast(g.sumTo(g.mul(dy, g.mul(y, safeLog(g, a))), b), g.dtype(b)) : undefined,
  ];
};

function powerBelow(g: GradientBuilder, a: Value, b: Value, exponent: Value): Value {
  const constant = g.constant(b);
  if (constant && constant.dims.length === 0) {
    const [value] = numbersOf(constant);
    if (value === 2) return a;
    if (value === 1) return g.number(1, a);
    if (value === 0.5) return g.op("Reciprocal", [g.sqrt(a)]);
  }
  return g.pow(a, g.sub(exponent, g.number(1, a)));
}

function safeLog(g: GradientBuilder, a: Value): Value {
  const positive = g.greater(a, 0);
  return g.where(positive, g.log(g.where(positive, a, 1)), g.number(0, a));
}

/** The slope is per channel and broadcasts to x. */
const prelu: GradientRule = (g, { inputs: [x, slope] }, [dy], needs) => {
  if (!x || !slope || !dy) return [];
  const below = g.mask(g.less(x, 0), x);
  const factor = g.add(g.sub(g.number(1, x), below), g.mul(below, slope));
  return [needs[0] ? g.mul(dy, factor) : undefined, needs[1] ? g.sumTo(g.mul(dy, g.mul(below, x)), slope) : undefined];
};

const where: GradientRule = (g, { inputs: [condition, a, b] }, [dy], needs) => {
  if (!condition || !a || !b || !dy) return [];
  const zero = g.number(0, dy);
  return [
    undefined,
    needs[1] ? g.sumTo(g.where(condition, dy, zero), a) : undefined,
    needs[2] ? g.sumTo(g.where(condition, zero, dy), b) : undefined,
  ];
};

/** x − b·trunc(x / b) or x − b·floor(x / b): da = dy, db = −dy·quotient. */
const mod: GradientRule = (g, node, [dy], needs) => {
  const [a, b] = node.inputs;
  const [y] = node.outputs;
  if (!a || !b || !y || !dy) return [];
  const quotient = (): Value => g.op("Round", [g.div(g.sub(a, y), b)]);
  return [needs[0] ? g.sumTo(dy, a) : undefined, needs[1] ? g.sumTo(g.neg(g.mul(dy, quotient())), b) : undefined];
};

/** Gelu of x + bias, in the tanh form; the bias input may be absent. */
const fastGelu: GradientRule = (g, node, [dy], needs) => biased(g, node, dy, needs, tanhGelu);

/** Gelu of x + bias, in the erf form. */
const biasGelu: GradientRule = (g, node, [dy], needs) => biased(g, node, dy, needs, erfGelu);

function biased(
  g: GradientBuilder,
  node: Node,
  dy: Value | undefined,
  needs: readonly boolean[],
  derivative: (point: Point) => Value,
): readonly (Value | undefined)[] {
  const [input, bias] = node.inputs;
  const [y] = node.outputs;
  if (!input || !y || !dy) return [];
  const x = bias ? g.add(input, bias) : input;
  const dx = g.mul(dy, derivative({ g, x, y, node, n: (value) => g.number(value, x) }));
  return [dx, bias && needs[1] ? g.sumTo(dx, bias) : undefined];
}

/** Rounding to an integer has no slope, and an integer no gradient; one that stays what it is passes on what it is given. */
const cast: GradientRule = (g, { inputs: [x], outputs: [y] }, [dy]) => {
  if (!x || !y || !dy) return [];
  if (g.dtype(x) === g.dtype(y)) return [dy];
  return isFloat(g.dtype(x)) && isFloat(g.dtype(y)) ? [g.cast(dy, g.dtype(x))] : [];
};

function isFloat(dtype: DataType): boolean {
  return dataTypes[dtype].kind === "float";
}

const identity: GradientRule = (_, __, [dy]) => [dy];

export const elementwise = {
  Abs: unary(({ g, x }) => g.sign(x)),
  Neg: (g, _, [dy]) => (dy ? [g.neg(dy)] : []),
  Exp: unary(({ y }) => y),
  Log: unary(({ g, x }) => g.op("Reciprocal", [x])),
  Sqrt: unary(({ g, y, n }) => g.div(n(0.5), y)),
  Reciprocal: unary(({ g, y }) => g.neg(g.mul(y, y))),
  Erf: unary((p) => p.g.scale(p.g.exp(p.g.neg(square(p, p.x))), 2 / Math.sqrt(Math.PI))),
  Sin: unary(({ g, x }) => g.op("Cos", [x])),
  Cos: unary(({ g, x }) => g.neg(g.op("Sin", [x]))),
  Tan: unary(({ g, y, n }) => g.add(n(1), g.mul(y, y))),
  Asin: unary((p) => p.g.op("Reciprocal", [p.g.sqrt(p.g.sub(p.n(1), square(p, p.x)))])),
  Acos: unary((p) => p.g.neg(p.g.op("Reciprocal", [p.g.sqrt(p.g.sub(p.n(1), square(p, p.x)))]))),
  Atan: unary((p) => p.g.op("Reciprocal", [p.g.add(p.n(1), square(p, p.x))])),
  Sinh: unary(({ g, x }) => g.scale(g.add(g.exp(x), g.exp(g.neg(x))), 0.5)),
  Cosh: unary(({ g, x }) => g.scale(g.sub(g.exp(x), g.exp(g.neg(x))), 0.5)),
  Tanh: unary(({ g, y, n }) => g.sub(n(1), g.mul(y, y))),
  Asinh: unary((p) => p.g.op("Reciprocal", [p.g.sqrt(p.g.add(square(p, p.x), p.n(1)))])),
  Acosh: unary((p) => p.g.op("Reciprocal", [p.g.sqrt(p.g.sub(square(p, p.x), p.n(1)))])),
  Atanh: unary((p) => p.g.op("Reciprocal", [p.g.sub(p.n(1), square(p, p.x))])),
  Sigmoid: unary(({ g, y, n }) => g.mul(y, g.sub(n(1), y))),
  Softplus: unary(({ g, x }) => sigmoid(g, x)),
  Softsign: unary((p) => {
    const denominator = p.g.add(p.n(1), p.g.abs(p.x));
    return p.g.op("Reciprocal", [p.g.mul(denominator, denominator)]);
  }),
  Relu: masked(({ g, x, n }) => g.greater(x, n(0))),
  ThresholdedRelu: masked(({ g, x, n, node }) => g.greater(x, n(floatOf(node, "alpha", 1)))),
  Shrink: masked(({ g, x, n, node }) => g.greater(g.abs(x), n(floatOf(node, "lambd", 0.5)))),
  LeakyRelu: piecewise(
    () => 1,
    ({ n, node }) => n(floatOf(node, "alpha", 0.01)),
  ),
  Elu: piecewise(
    () => 1,
    ({ g, y, n, node }) => g.add(y, n(floatOf(node, "alpha", 1))),
  ),
  Celu: piecewise(
    () => 1,
    ({ g, x, node }) => g.exp(g.scale(x, 1 / floatOf(node, "alpha", 1))),
  ),
  Selu: piecewise(
    (node) => floatOf(node, "gamma", 1.0507010221481323),
    ({ g, y, n, node }) =>
      g.add(y, n(floatOf(node, "gamma", 1.0507010221481323) * floatOf(node, "alpha", 1.6732631921768188))),
  ),
  HardSigmoid: unary(({ g, x, y, n, node }) => {
    const inside = g.and(g.greater(y, n(0)), g.less(y, n(1)));
    return g.scale(g.mask(inside, x), floatOf(node, "alpha", 0.2));
  }),
  HardSwish: unary(({ g, x, n }) => {
    const gate = g.op("Clip", [g.add(g.scale(x, 1 / 6), n(0.5)), n(0), n(1)]);
    const inside = g.and(g.greater(x, n(-3)), g.less(x, n(3)));
    return g.add(gate, g.mul(g.mask(inside, x), g.scale(x, 1 / 6)));
  }),
  Mish: unary(mish),
  Swish: unary((point) => swish(floatOf(point.node, "alpha", 1))(point)),
  Gelu: unary(gelu),
  "com.microsoft::Gelu": unary(gelu),
  "com.microsoft::FastGelu": fastGelu,
  "com.microsoft::QuickGelu": unary((point) => swish(floatOf(point.node, "alpha", 1.702))(point)),
  "com.microsoft::BiasGelu": biasGelu,
  Add: binary(({ dy }) => [() => dy, () => dy]),
  Sub: binary(({ g, dy }) => [() => dy, () => g.neg(dy)]),
  Mul: binary(({ g, a, b, dy }) => [() => g.mul(dy, b), () => g.mul(dy, a)]),
  Div: binary(({ g, b, y, dy }) => [() => g.div(dy, b), () => g.neg(g.div(g.mul(dy, y), b))]),
  Pow: pow,
  Mod: mod,
  Max: extreme,
  Min: extreme,
  Sum: sum,
  Mean: mean,
  PRelu: prelu,
  Where: where,
  Clip: clip,
  Cast: cast,
  CastLike: cast,
  Identity: identity,
  Floor: stop,
  Ceil: stop,
  Round: stop,
  Sign: stop,
  Equal: stop,
  Greater: stop,
  GreaterOrEqual: stop,
  Less: stop,
  LessOrEqual: stop,
  Not: stop,
  And: stop,
  Or: stop,
  Xor: stop,
  IsNaN: stop,
  IsInf: stop,
  BitShift: stop,
  BitwiseAnd: stop,
  BitwiseNot: stop,
  BitwiseOr: stop,
  BitwiseXor: stop,
} satisfies Record<string, GradientEntry>;

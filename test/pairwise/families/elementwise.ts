/** @file Operators that act element by element, with and without broadcasting. */
import { distinct } from "../../laws/gradient-cases/case.ts";
import { family, fixed, type PairInput, plain, whole } from "../family.ts";

/** What each function of one number may be given: its range, and its parameters. */
const unary: Readonly<
  Record<string, { low: number; high: number; since?: number; parameters?: readonly Record<string, number | string>[] }>
> = {
  Abs: { low: -2, high: 2 },
  Neg: { low: -2, high: 2 },
  Exp: { low: -2, high: 2 },
  Log: { low: 0.3, high: 2 },
  Sqrt: { low: 0.3, high: 2 },
  Reciprocal: { low: 0.5, high: 2 },
  Erf: { low: -2, high: 2 },
  Sin: { low: -2, high: 2 },
  Cos: { low: -2, high: 2 },
  Tan: { low: -1, high: 1 },
  Asin: { low: -0.8, high: 0.8 },
  Acos: { low: -0.8, high: 0.8 },
  Atan: { low: -2, high: 2 },
  Sinh: { low: -2, high: 2 },
  Cosh: { low: -2, high: 2 },
  Tanh: { low: -2, high: 2 },
  Asinh: { low: -2, high: 2 },
  Acosh: { low: 1.3, high: 3 },
  Atanh: { low: -0.8, high: 0.8 },
  Sigmoid: { low: -2, high: 2 },
  Softplus: { low: -2, high: 2 },
  Softsign: { low: -2, high: 2 },
  Relu: { low: -2, high: 2 },
  ThresholdedRelu: { low: -2, high: 2, parameters: [{ alpha: 0.5 }, { alpha: -0.5 }, { alpha: 0 }] },
  Shrink: { low: -2, high: 2, parameters: [{ lambd: 0.7 }, { bias: 0.3 }, { lambd: 0.4, bias: -0.2 }, { lambd: 0 }] },
  LeakyRelu: { low: -2, high: 2, parameters: [{ alpha: 0.3 }, { alpha: -0.5 }, { alpha: 0 }] },
  Elu: { low: -2, high: 2, parameters: [{ alpha: 0.4 }, { alpha: 2 }] },
  Celu: { low: -2, high: 2, parameters: [{ alpha: 0.4 }, { alpha: 2 }] },
  Selu: { low: -2, high: 2, parameters: [{ alpha: 2 }, { gamma: 0.5 }, { alpha: 1.1, gamma: 2 }] },
  HardSigmoid: {
    low: -6,
    high: 6,
    parameters: [{ alpha: 0.5 }, { beta: 0.1 }, { alpha: 0.3, beta: -0.2 }, { alpha: -0.3 }],
  },
  HardSwish: { low: -5, high: 5 },
  Mish: { low: -2, high: 2 },
  Gelu: { low: -2, high: 2, parameters: [{ approximate: "tanh" }, { approximate: "none" }] },
  Ceil: { low: -2, high: 2 },
  Floor: { low: -2, high: 2 },
  Round: { low: -2, high: 2 },
  Sign: { low: -2, high: 2 },
  IsNaN: { low: -2, high: 2 },
  IsInf: { low: -2, high: 2, parameters: [{ detect_positive: 0 }, { detect_negative: 0 }] },
  Swish: { low: -2, high: 2, since: 24, parameters: [{ alpha: 0.5 }, { alpha: -1 }] },
  Hardmax: { low: -2, high: 2 },
};

const unaries = family(
  "functions of one number",
  { op: Object.keys(unary), parameters: [0, 1, 2, 3, 4], dims: [[2, 3], [], [0, 3], [4, 1]] },
  ({ op, parameters, dims }) => {
    const { low, high, since = 21, parameters: known = [] } = unary[op]!;
    if (parameters > known.length || (op === "Hardmax" && dims.length === 0)) return undefined;
    return {
      op,
      inputs: [{ dims, low, high }],
      attributes: parameters === 0 ? {} : known[parameters - 1]!,
      opset: since,
    };
  },
  { operators: Object.keys(unary) },
);

const broadcast = {
  a: [[2, 3], [3], [1, 3], [2, 1], [], [2, 2, 3], [0, 3], [1]],
  b: [[2, 3], [3], [1, 3], [2, 1], [], [2, 2, 3], [1, 1, 3], [0, 3]],
} as const;

function fits(...all: readonly (readonly number[])[]): boolean {
  const rank = Math.max(...all.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, i) => new Set(all.map((dims) => dims[dims.length - 1 - i] ?? 1))).every(
    (lengths) => {
      lengths.delete(1);
      return lengths.size < 2;
    },
  );
}

const arithmetic = [
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Max",
  "Min",
  "Sum",
  "Mean",
  "Pow",
  "PRelu",
  "Equal",
  "Greater",
  "GreaterOrEqual",
  "Less",
  "LessOrEqual",
  "Mod",
];

const binaries = family(
  "functions of two numbers",
  { op: arithmetic, ...broadcast, opset: [7, 13, 21], swapped: [false, true] },
  ({ op, a, b, opset, swapped }) => {
    const since: Record<string, number> = {
      GreaterOrEqual: 12,
      LessOrEqual: 12,
      Mod: 10,
      Equal: 11,
      Max: 8,
      Min: 8,
      Sum: 8,
      Mean: 8,
    };
    if (opset < (since[op] ?? 7) || !fits(a, b)) return undefined;
    const spread = (dims: readonly number[]): PairInput => {
      const base = distinct(...dims);
      return { dims, values: base.values!.map((x, i) => 1.6 + 0.37 * x + 0.011 * i) };
    };
    const [first, second] = [spread(a), { ...spread(b), values: spread(b).values!.map((x) => x * 0.83 + 0.07) }];
    const inputs = swapped ? [second, first] : [first, second];
    if (op === "PRelu") {
      if (
        !inputs[1]!.dims.every((n, i) => n === 1 || n === inputs[0]!.dims.at(i - inputs[1]!.dims.length)) ||
        inputs[1]!.dims.length > inputs[0]!.dims.length
      )
        return undefined;
      return { op, inputs: [{ ...inputs[0]!, values: inputs[0]!.values!.map((x) => x - 1.63) }, inputs[1]], opset };
    }
    return { op, inputs, attributes: { fmod: op === "Mod" ? 1 : undefined }, opset };
  },
  { operators: arithmetic },
);

const variadic = family(
  "functions of many numbers",
  { op: ["Max", "Min", "Sum", "Mean"], count: [1, 3, 4], a: broadcast.a, b: broadcast.b, ties: [false, true] },
  ({ op, count, a, b, ties }) => {
    if (!fits(a, b)) return undefined;
    const inputs = Array.from({ length: count }, (_, i): PairInput => {
      const base = distinct(...(i % 2 === 0 ? a : b));
      return {
        ...base,
        values: base.values!.map((x) => x + (ties ? 0 : 0.023 * i)),
        differentiable: ties ? false : (undefined as never),
      };
    });
    return { op, inputs };
  },
  { operators: ["Max", "Min", "Sum", "Mean"] },
);

const integers = family(
  "integer arithmetic",
  {
    op: [
      "Add",
      "Sub",
      "Mul",
      "Div",
      "Mod",
      "Max",
      "Min",
      "Pow",
      "Equal",
      "Less",
      "BitwiseAnd",
      "BitwiseOr",
      "BitwiseXor",
    ],
    dtype: ["int32", "int64", "uint8"],
    a: [[4], [2, 1], [1]],
    b: [[4], [1]],
    fmod: [undefined, 0, 1],
  },
  ({ op, dtype, a, b, fmod }) => {
    if ((op !== "Mod") === (fmod !== undefined)) return undefined;
    const values = (dims: readonly number[], all: readonly number[]): number[] =>
      all.slice(
        0,
        dims.reduce((n, d) => n * d, 1),
      );
    const isSigned = dtype !== "uint8";
    return {
      op,
      inputs: [
        whole(a, values(a, isSigned ? [-7, 5, 9, -4] : [7, 5, 9, 4]), dtype),
        whole(b, values(b, op === "Pow" || !isSigned ? [3, 2, 1, 2] : [3, -2, 4, -3]), dtype),
      ],
      attributes: { fmod },
    };
  },
  { operators: ["BitwiseAnd", "BitwiseOr", "BitwiseXor"] },
);

const logic = family(
  "logic",
  { op: ["And", "Or", "Xor", "Not"], a: [[4], [2, 1], []], b: [[4], [1], []] },
  ({ op, a, b }) => {
    const bits = (dims: readonly number[], shift: number): PairInput =>
      whole(
        dims,
        Array.from({ length: dims.reduce((n, d) => n * d, 1) }, (_, i) => ((i + shift) >> 1) & 1),
        "bool",
      );
    return { op, inputs: op === "Not" ? [bits(a, 0)] : [bits(a, 0), bits(b, 1)] };
  },
  { operators: ["And", "Or", "Xor", "Not"] },
);

const shift = family(
  "BitShift",
  { direction: ["LEFT", "RIGHT"], dtype: ["uint8", "uint32", "uint64"], dims: [[3], [1]] },
  ({ direction, dtype, dims }) => ({
    inputs: [whole([3], [1, 200, 77], dtype), whole(dims, [1, 2, 3].slice(0, dims[0]), dtype)],
    attributes: { direction },
  }),
);

const bitwiseNot = family(
  "BitwiseNot",
  { dtype: ["int32", "uint8", "int64"], dims: [[3], [3, 1]] },
  ({ dtype, dims }) => ({ inputs: [whole(dims, [1, 0, 77], dtype)] }),
);

const powers = family(
  "powers",
  {
    exponent: [0, 1, 2, 3, 0.5, -1, -2.5],
    as: ["constant", "fed", "integer"],
    a: [[3], [2, 3], []],
    b: [[], [1], [3]],
    base: ["positive", "any", "zero"],
  },
  ({ exponent, as, a, b, base }) => {
    if (as === "integer" && !Number.isInteger(exponent)) return undefined;
    if (base !== "positive" && (!Number.isInteger(exponent) || as === "fed")) return undefined;
    if (base === "zero" && exponent < 1) return undefined;
    if (!fits(a, b)) return undefined;
    const size = (dims: readonly number[]): number => dims.reduce((n, d) => n * d, 1);
    const pool =
      base === "positive"
        ? [0.4, 1.3, 2.1, 0.7, 1.1, 1.9]
        : base === "any"
          ? [0.4, -1.3, 2.1, -0.7, 1.1, -1.9]
          : [0, 1.3, 0, -0.7, 1.1, 0];
    const powersOf = new Array<number>(size(b)).fill(exponent);
    const given: PairInput =
      as === "constant"
        ? fixed(b, powersOf)
        : as === "fed"
          ? { dims: b, values: powersOf }
          : { ...fixed(b, powersOf, "int64") };
    return { op: "Pow", inputs: [{ dims: a, values: pool.slice(0, size(a)) }, given] };
  },
  { operators: ["Pow"] },
);

const where = family(
  "Where",
  { c: [[2, 3], [3], [2, 1], []], a: [[2, 3], [1, 3], [], [2, 1, 3]], b: [[2, 3], [3], [2, 1], [0, 3]] },
  ({ c, a, b }) => {
    if (!fits(c, a, b)) return undefined;
    const count = c.reduce<number>((n, d) => n * d, 1);
    return {
      inputs: [
        whole(
          c,
          Array.from({ length: count }, (_, i) => ((i * 5 + 1) % 3 === 0 ? 1 : 0)),
          "bool",
        ),
        plain(...a),
        plain(...b),
      ],
    };
  },
);

const clip = family(
  "Clip",
  {
    min: ["absent", "constant", "fed"],
    max: ["absent", "constant", "fed"],
    order: ["usual", "equal", "reversed"],
    dims: [[5], [2, 5], [], [0, 3]],
    opset: [7, 11, 12, 13, 21],
    ceiling: [0.7, 1.4],
  },
  ({ min, max, order, dims, opset, ceiling }) => {
    const [low, high] = { usual: [-0.8, ceiling], equal: [0.4, 0.4], reversed: [ceiling, -0.8] }[order] as [
      number,
      number,
    ];
    if (order !== "usual" && (min === "absent" || max === "absent")) return undefined;
    if (order === "equal" && (min === "fed" || max === "fed")) return undefined;
    const x = plain(...dims);
    if (opset < 11) {
      if (min === "fed" || max === "fed") return undefined;
      return {
        inputs: [x],
        attributes: { min: min === "absent" ? undefined : low, max: max === "absent" ? undefined : high },
        opset,
      };
    }
    const bound = (how: typeof min, value: number): PairInput | undefined =>
      how === "absent" ? undefined : how === "fed" ? { dims: [], values: [value] } : fixed([], [value]);
    return { inputs: [x, bound(min, low), bound(max, high)], opset };
  },
);

const casts = family(
  "Cast",
  { from: ["float32", "float64", "int64", "bool", "int8"], to: [1, 11, 7, 9, 3, 2], dims: [[4], [], [0, 2]] },
  ({ from, to, dims }) => {
    const count = dims.reduce<number>((n, d) => n * d, 1);
    const values = from === "bool" ? [1, 0, 1, 1] : from.startsWith("float") ? [1.4, 0, 2.7, 0.6] : [1, 0, 100, 3];
    return { inputs: [{ dims, dtype: from, values: values.slice(0, count) }], attributes: { to } };
  },
);

const castLike = family(
  "CastLike",
  { from: ["float32", "int64"], to: ["float32", "int32", "bool"] },
  ({ from, to }) => ({ inputs: [{ dims: [3], dtype: from, values: [1, 0, 2] }, whole([1], [1], to)] }),
);

const range = family(
  "Range",
  { start: [0, 1.5, -2], limit: [3, -3, 0.5], delta: [1, 0.5, -1], dtype: ["float32", "int64", "int32"] },
  ({ start, limit, delta, dtype }) => {
    if (dtype !== "float32" && ![start, limit, delta].every(Number.isInteger)) return undefined;
    if (Number.isInteger((limit - start) / delta))
      return { inputs: [start, limit, delta].map((n) => fixed([], [n], dtype)) };
    return { inputs: [start, limit, delta].map((n) => ({ dims: [], dtype, values: [n] })) };
  },
);

export const elementwiseFamilies = [
  unaries,
  binaries,
  variadic,
  integers,
  logic,
  shift,
  bitwiseNot,
  powers,
  where,
  clip,
  casts,
  castLike,
  range,
];

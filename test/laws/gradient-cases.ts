/** @file Small uses of every differentiable operator, for the gradient law. */
import type { BuilderAttributes, DataType, GraphBuilder, Value } from "../../src/ir/index.ts";
import { int64s } from "../../src/ir/index.ts";

export interface CaseInput {
  readonly dims: readonly number[];
  readonly dtype?: DataType;
  readonly differentiable?: false;
  /** Fixed values, or the range that random ones are drawn from. */
  readonly values?: readonly number[];
  readonly low?: number;
  readonly high?: number;
}

export interface GradientCase {
  readonly name: string;
  /** Names of the operators that the case stands for. */
  readonly covers: readonly string[];
  readonly inputs: Readonly<Record<string, CaseInput>>;
  readonly build: (g: GraphBuilder, input: (name: string) => Value) => readonly Value[];
  readonly tolerance?: number;
}

function unary(
  opType: string,
  range: { low?: number; high?: number } = {},
  attributes: BuilderAttributes = {},
  domain = "",
): GradientCase {
  return {
    name: `${opType}${Object.keys(attributes).length ? ` ${JSON.stringify(attributes)}` : ""}`,
    covers: [domain ? `${domain}::${opType}` : opType],
    inputs: { x: { dims: [2, 3, 4], ...range } },
    build: (g, input) => [g.op(opType, [input("x")], attributes, { domain })],
  };
}

function binary(
  opType: string,
  a: readonly number[],
  b: readonly number[],
  range: Partial<CaseInput> = {},
): GradientCase {
  return {
    name: `${opType} [${a}]·[${b}]`,
    covers: [opType],
    inputs: { a: { dims: a, ...range }, b: { dims: b, ...range } },
    build: (g, input) => [g.op(opType, [input("a"), input("b")])],
  };
}

const broadcasts: readonly (readonly [readonly number[], readonly number[]])[] = [
  [
    [2, 3, 4],
    [2, 3, 4],
  ],
  [[2, 3, 4], [4]],
  [[2, 3, 4], []],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [
    [3, 1],
    [2, 1, 4],
  ],
];

const positive = { low: 0.3, high: 2 };
const inside = { low: -0.8, high: 0.8 };

const units: readonly GradientCase[] = [
  ...[
    "Abs",
    "Neg",
    "Exp",
    "Erf",
    "Sin",
    "Cos",
    "Atan",
    "Sinh",
    "Cosh",
    "Tanh",
    "Asinh",
    "Sigmoid",
    "Softplus",
    "Softsign",
    "Relu",
    "Mish",
    "HardSwish",
    "LeakyRelu",
    "Elu",
    "Celu",
    "Selu",
    "HardSigmoid",
    "ThresholdedRelu",
    "Shrink",
    "Identity",
  ].map((op) => unary(op)),
  ...["Log", "Sqrt", "Reciprocal"].map((op) => unary(op, positive)),
  unary("Tan", inside),
  unary("Asin", inside),
  unary("Acos", inside),
  unary("Atanh", inside),
  unary("Acosh", { low: 1.2, high: 3 }),
  unary("Gelu"),
  unary("Gelu", {}, { approximate: "tanh" }),
  unary("Gelu", {}, {}, "com.microsoft"),
  unary("QuickGelu", {}, {}, "com.microsoft"),
  unary("FastGelu", {}, {}, "com.microsoft"),
  ...["Add", "Sub", "Mul"].flatMap((op) => broadcasts.map(([a, b]) => binary(op, a, b))),
  ...broadcasts.map(([a, b]) => binary("Div", a, b, positive)),
  ...broadcasts.map(([a, b]) => binary("Pow", a, b, positive)),
  ...["Max", "Min", "Sum", "Mean"].flatMap((op) => broadcasts.slice(0, 3).map(([a, b]) => binary(op, a, b))),
  binary("PRelu", [2, 3, 4], [3, 1]),
];

const matmuls: readonly GradientCase[] = (
  [
    [
      [2, 3],
      [3, 4],
    ],
    [
      [5, 2, 3],
      [3, 4],
    ],
    [
      [5, 2, 3],
      [5, 3, 4],
    ],
    [
      [2, 1, 2, 3],
      [4, 3, 2],
    ],
    [
      [2, 3],
      [5, 3, 2],
    ],
    [[3], [3, 4]],
    [[2, 3], [3]],
    [[3], [3]],
    [[5, 2, 3], [3]],
    [[3], [5, 3, 2]],
  ] as const
).map(([a, b]) => binary("MatMul", a, b));

function ints(g: GraphBuilder, values: readonly number[]): Value {
  return g.constant("ints", int64s(values));
}

const reductions: readonly GradientCase[] = [
  "ReduceSum",
  "ReduceMean",
  "ReduceMax",
  "ReduceMin",
  "ReduceL1",
  "ReduceL2",
  "ReduceSumSquare",
  "ReduceLogSum",
  "ReduceLogSumExp",
  "ReduceProd",
].flatMap((op) =>
  [[0], [1, -1], undefined].flatMap((axes) =>
    [0, 1].map((keepdims) => ({
      name: `${op} axes ${axes ?? "all"} keepdims ${keepdims}`,
      covers: [op],
      inputs: { x: { dims: [2, 3, 4], ...(op === "ReduceLogSum" ? positive : {}) } },
      build: (g: GraphBuilder, input: (name: string) => Value) => [
        g.op(op, [input("x"), axes && ints(g, axes)], { keepdims }),
      ],
    })),
  ),
);

export const gradientCases: readonly GradientCase[] = [...units, ...matmuls, ...reductions];

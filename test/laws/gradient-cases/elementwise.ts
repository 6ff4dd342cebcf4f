/** @file Elementwise operators, products and reductions. */
import {
  type BuilderAttributes,
  float,
  type GraphBuilder,
  tensorFromNumbers,
  type Value,
} from "../../../src/ir/index.ts";
import { type CaseInput, distinct, type GradientCase, ints, operator, x } from "./case.ts";

function unary(
  opType: string,
  range: { low?: number; high?: number } = {},
  attributes: BuilderAttributes = {},
  domain = "",
): GradientCase {
  return operator(
    opType,
    [{ dims: [2, 3, 4], ...range }],
    attributes,
    domain ? { domain, name: `${domain} ${opType}` } : {},
  );
}

function binary(
  opType: string,
  a: readonly number[],
  b: readonly number[],
  range: Partial<CaseInput> = {},
): GradientCase {
  return operator(opType, [
    { dims: a, ...range },
    { dims: b, ...range },
  ]);
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

/** Settings and corners of the operators above. */
const further: readonly GradientCase[] = [
  unary("LeakyRelu", {}, { alpha: 0.3 }),
  unary("Elu", {}, { alpha: 0.7 }),
  unary("Celu", {}, { alpha: 1.7 }),
  unary("Selu", {}, { alpha: 1.2, gamma: 0.9 }),
  unary("HardSigmoid", {}, { alpha: 0.4, beta: 0.3 }),
  unary("Shrink", {}, { lambd: 0.7, bias: 0.2 }),
  unary("ThresholdedRelu", {}, { alpha: 0.6 }),
  { ...unary("Swish", {}, { alpha: 1.3 }), opset: 24 },
  unary("HardSwish", { low: -4, high: 4 }),
  operator("BiasGelu", [x(2, 3, 4), x(4)], {}, { domain: "com.microsoft" }),
  operator("FastGelu", [x(2, 3, 4), x(4)], {}, { domain: "com.microsoft", name: "FastGelu with bias" }),
  binary("PRelu", [2, 3, 4], [3, 1]),
  binary("PRelu", [2, 3, 4], [2, 3, 4]),
  operator("Max", [distinct(2, 6), { dims: [6], low: -0.02, high: 0.02 }, { dims: [2, 1], low: 0.06, high: 0.09 }]),
  operator("Min", [distinct(2, 6), { dims: [6], low: -0.02, high: 0.02 }]),
  operator("Sum", [x(2, 3), x(3), x(2, 1)]),
  operator("Mean", [x(2, 3), x(3), x(2, 1)]),
  operator("Clip", [x(3, 4), { dims: [], values: [-0.7] }, { dims: [], values: [0.9] }]),
  operator("Clip", [x(3, 4), undefined, { dims: [], values: [0.9] }], {}, { name: "Clip above" }),
  operator("Where", [
    { dims: [2, 3], dtype: "bool", values: [1, 0, 1, 0, 0, 1], differentiable: false },
    x(2, 3),
    x(3),
  ]),
  operator(
    "Mod",
    [
      { dims: [2, 3], low: 3, high: 8 },
      { dims: [3], low: 1.9, high: 2.1 },
    ],
    { fmod: 1 },
  ),
  operator("Cast", [x(2, 3)], { to: 11 }, { name: "Cast to float64" }),
  operator("Cast", [x(2, 3)], { to: 1 }, { name: "Cast to its own type" }),
  operator("CastLike", [x(2, 3), { dims: [], dtype: "float64", values: [0], differentiable: false }]),
  ...[0.5, 1, 2, 3, -1].map((exponent) => ({
    name: `Pow ${exponent}`,
    covers: ["Pow"],
    inputs: { a: { dims: [2, 3], low: 0.3, high: 2 } },
    build: (g: GraphBuilder, input: (name: string) => Value) => [
      g.op("Pow", [input("a"), g.constant("exponent", tensorFromNumbers("float32", [], [exponent]))]),
    ],
  })),
];

const products: readonly GradientCase[] = [
  ...[0, 1].flatMap((transA) =>
    [0, 1].flatMap((transB) =>
      [[], [4], [1, 4], [2, 4], [2, 1]].map((c) =>
        operator("Gemm", [{ dims: transA ? [3, 2] : [2, 3] }, { dims: transB ? [4, 3] : [3, 4] }, { dims: c }], {
          transA,
          transB,
          alpha: 0.7,
          beta: float(5),
        }),
      ),
    ),
  ),
  operator("Gemm", [x(2, 3), x(3, 4)]),
  ...(
    [
      ["ij,jk->ik", [2, 3], [3, 4]],
      ["bij,bjk->bik", [2, 3, 4], [2, 4, 2]],
      ["ij,jk", [2, 3], [3, 4]],
      ["ij,ik->j", [2, 3], [2, 4]],
      ["i,j->ij", [3], [4]],
    ] as const
  ).map(([equation, a, b]) => operator("Einsum", [{ dims: a }, { dims: b }], { equation })),
  operator("Einsum", [x(2, 3, 4)], { equation: "ijk->ki" }),
  operator("Einsum", [x(2, 3), x(3, 4), x(4)], { equation: "ij,jk,k->i" }),
];

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
        g.unchecked(op, [input("x"), axes && ints(g, axes)], 1, { keepdims })[0],
      ],
    })),
  ),
);

/** Softmax and running sums. */
const others: readonly GradientCase[] = [
  ...["Softmax", "LogSoftmax"].flatMap((op) => [-1, 1, 0].map((axis) => operator(op, [x(2, 3, 4)], { axis }))),
  ...[0, 1].flatMap((exclusive) =>
    [0, 1].map((reverse) => ({
      name: `CumSum exclusive ${exclusive} reverse ${reverse}`,
      covers: ["CumSum"],
      inputs: { a: { dims: [2, 4, 3] } },
      build: (g: GraphBuilder, input: (name: string) => Value) => [
        g.op("CumSum", [input("a"), g.constant("axis", tensorFromNumbers("int64", [], [1]))], { exclusive, reverse }),
      ],
    })),
  ),
  ...[
    [0, 1, 2, 3, 4, 5],
    [1, 0, 2, 3, 0, 5],
    [0, 0, 0, 1, 2, 3],
  ].map((values) => operator("ReduceProd", [{ dims: [2, 3], values }, [1]], {}, { name: `ReduceProd of ${values}` })),
];

export const elementwiseCases: readonly GradientCase[] = [
  ...units,
  ...further,
  ...matmuls,
  ...products,
  ...reductions,
  ...others,
];

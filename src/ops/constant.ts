/** @file Operators that make values from nothing or from types: Constant, Shape, Cast, Identity, random numbers. */
import {
  boundOf,
  type DataType,
  type Dim,
  type Dims,
  dataTypes,
  intOf,
  intsOf,
  nearestNumber,
  type Tensor,
  tensorAttribute,
  tensorType,
  UNKNOWN_DIM,
  type ValueType,
} from "../ir/index.ts";
import { noAxes, throughAxes } from "./axes.ts";
import { costPerOutput, noCost } from "./cost.ts";
import { asTensor, dimFrom, dimsFrom, dimsOf, dtypeOf, productDims, typed } from "./dims.ts";
import { pointwise } from "./elementwise.ts";
import {
  type InferContext,
  type InferRule,
  type NodeFacts,
  type OpSpec,
  SYMBOL_LIMIT,
  type SymbolRule,
} from "./spec.ts";
import { sameSymbols, settle } from "./symbols.ts";
import { numbersIn } from "./tensors.ts";

const byCode = new Map<number, DataType>(
  Object.entries(dataTypes).map(([name, { code }]) => [code, name as DataType] as const),
);

/** The element type that an attribute names by its ONNX code. */
export function dtypeAttribute(node: NodeFacts["node"], name: string): DataType | undefined {
  const code = intOf(node, name);
  return code === undefined ? undefined : byCode.get(code);
}

/** The type of a `Constant`'s one attribute, whichever it is. */
function constantType({ node }: NodeFacts): ValueType | undefined {
  const [attribute] = [...node.attributes].filter(([name]) => name.startsWith("value") || name === "sparse_value");
  const held = attribute?.[1];
  switch (held?.type) {
    case "tensor":
      return tensorType(held.value.dtype, held.value.dims);
    case "sparse-tensor":
      return { kind: "sparse-tensor", dtype: held.value.values.dtype, dims: held.value.dims };
    case "int":
      return tensorType("int64", []);
    case "float":
      return tensorType("float32", []);
    case "string":
      return tensorType("string", []);
    case "ints":
      return tensorType("int64", [held.value.length]);
    case "floats":
      return tensorType("float32", [held.value.length]);
    case "strings":
      return tensorType("string", [held.value.length]);
    default:
      return undefined;
  }
}

const constantSymbols: SymbolRule = ({ node }) => {
  const held = node.attributes.get("value");
  if (held?.type === "tensor") return numbersIn(held.value);
  const listed = node.attributes.get("value_ints") ?? node.attributes.get("value_floats");
  if (listed?.type === "ints") return listed.value.map(nearestNumber);
  if (listed?.type === "floats") return listed.value.map(Math.fround);
  const single = node.attributes.get("value_int") ?? node.attributes.get("value_float");
  if (single?.type === "int") return [nearestNumber(single.value)];
  return single?.type === "float" ? [Math.fround(single.value)] : undefined;
};

function filling({ node }: NodeFacts): Tensor | undefined {
  return tensorAttribute(node, "value");
}

/** A scalar, or a vector of a known length, filled with one value. */
const filledSymbols: SymbolRule = (facts) => {
  const target = facts.symbols(0);
  const length = target?.length === 0 ? 1 : dimFrom(target?.[0]);
  if (!target || target.length > 1 || typeof length !== "number" || length > SYMBOL_LIMIT) return undefined;
  const value = filling(facts);
  const [item] = value ? (numbersIn(value) ?? []) : [0];
  return Array<Dim>(length).fill(item ?? UNKNOWN_DIM);
};

/** The part of the dims that `start` and `end` leave. */
function shapePart(facts: NodeFacts): Dims | undefined {
  const dims = dimsOf(facts, 0);
  if (!dims || facts.version < 15) return dims;
  return dims.slice(boundOf(facts.node, "start"), boundOf(facts.node, "end"));
}

const inferShape: InferRule = (context) => {
  const part = shapePart(context);
  return [tensorType("int64", [part ? part.length : UNKNOWN_DIM])];
};

const castSymbols: SymbolRule = (facts) => {
  const dtype = dtypeAttribute(facts.node, "to") ?? dtypeOf(facts, 1);
  const whole = dtype && ["int", "uint", "float"].includes(dataTypes[dtype].kind) && dataTypes[dtype].bits >= 32;
  if (dtype === dtypeOf(facts, 0)) return facts.elements(0);
  return facts
    .elements(0)
    ?.map((item) => (typeof item === "number" ? settle(item, dtype) : whole ? item : UNKNOWN_DIM));
};

/** Casts may round; to integers they truncate. */
const cast = (since: readonly number[], dtype: (context: InferContext) => DataType | undefined): OpSpec =>
  pointwise(since, (context) => [typed(dtype(context), dimsOf(context, 0))], { symbols: castSymbols });

/** Numbers drawn with the dims of an attribute. */
const drawn = (since: readonly number[]): OpSpec => ({
  since,
  infer: ({ node }) => [typed(dtypeAttribute(node, "dtype") ?? "float32", intsOf(node, "shape"))],
  axes: noAxes,
  cost: costPerOutput,
  exactness: "random",
});

/** Numbers drawn with the dims of the input, and its dtype unless another is named. */
const drawnLike = (since: readonly number[]): OpSpec => ({
  since,
  infer: (context) => [typed(dtypeAttribute(context.node, "dtype") ?? dtypeOf(context, 0), dimsOf(context, 0))],
  axes: throughAxes(),
  cost: costPerOutput,
  exactness: "random",
});

/** The mask is a bool; before opset 10 it had the type of the data. */
const inferDropout: InferRule = (context) => [
  asTensor(context.input(0)),
  context.version >= 10 ? typed("bool", dimsOf(context, 0)) : asTensor(context.input(0)),
];

const exact = { exactness: "exact" } as const;

export const constantOps = {
  Constant: {
    since: [1, 9, 11, 12, 13, 19, 21, 23, 24, 25],
    infer: (context) => [constantType(context)],
    axes: noAxes,
    cost: noCost,
    symbols: constantSymbols,
    ...exact,
  },
  ConstantOfShape: {
    since: [9, 20, 21, 23, 24, 25],
    infer: (context) => [typed(filling(context)?.dtype ?? "float32", dimsFrom(context, 0))],
    axes: noAxes,
    cost: noCost,
    symbols: filledSymbols,
    ...exact,
  },
  Shape: {
    since: [1, 13, 15, 19, 21, 23, 24, 25],
    infer: inferShape,
    axes: noAxes,
    cost: noCost,
    symbols: (facts) => shapePart(facts),
    ...exact,
  },
  Size: {
    since: [1, 13, 19, 21, 23, 24, 25],
    infer: () => [tensorType("int64", [])],
    axes: noAxes,
    cost: noCost,
    symbols: (facts) => {
      const dims = dimsOf(facts, 0);
      return dims && [productDims(dims)];
    },
    ...exact,
  },
  Cast: cast([1, 6, 9, 13, 19, 21, 23, 24, 25, 28], ({ node }) => dtypeAttribute(node, "to")),
  CastLike: cast([15, 19, 21, 23, 24, 25], (context) => dtypeOf(context, 1)),
  BitCast: pointwise([26], (context) => [typed(dtypeAttribute(context.node, "to"), dimsOf(context, 0))], exact),
  Identity: {
    since: [1, 13, 14, 16, 19, 21, 23, 24, 25],
    infer: (context) => [context.input(0)],
    axes: throughAxes(),
    cost: noCost,
    symbols: sameSymbols,
    ...exact,
  },
  Dropout: {
    since: [1, 6, 7, 10, 12, 13, 22],
    infer: inferDropout,
    axes: throughAxes(),
    cost: noCost,
    exactness: "random",
  },
  Bernoulli: drawnLike([15, 22]),
  RandomNormal: drawn([1, 22]),
  RandomUniform: drawn([1, 22]),
  RandomNormalLike: drawnLike([1, 22]),
  RandomUniformLike: drawnLike([1, 22]),
  Multinomial: {
    since: [7, 22],
    infer: (context) => [
      typed(dtypeAttribute(context.node, "dtype") ?? "int32", [
        dimsOf(context, 0)?.[0] ?? UNKNOWN_DIM,
        intOf(context.node, "sample_size", 1),
      ]),
    ],
    axes: noAxes,
    cost: costPerOutput,
    exactness: "random",
  },
} satisfies Record<string, OpSpec>;

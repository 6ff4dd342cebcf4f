/** @file Strings, n-grams, and the classical learners of ai.onnx.ml. */
import {
  type DataType,
  type Dim,
  intOf,
  intsOf,
  type Node,
  stringsAttribute,
  tensorAttribute,
  UNKNOWN_DIM,
} from "../ir/index.ts";
import { end, mixed, noAxes, same, throughAxes } from "./axes.ts";
import { costPerOutput, noCost, unknownCost } from "./cost.ts";
import { dimsOf, dtypeOf, typed } from "./dims.ts";
import { broadcasting, pointwise, recast, sameType } from "./elementwise.ts";
import type { AxisRule, InferRule, NodeFacts, OpSpec } from "./spec.ts";

const exact = { exactness: "exact" } as const;
const leadingAxis: AxisRule = () => [same(end(0, 0), end(0, 0))];

/** Stop words are taken out, so the last axis may shrink. */
const inferNormalizer: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const stops = (stringsAttribute(context.node, "stopwords") ?? []).length > 0;
  return [typed("string", stops ? dims?.map((dim, i) => (i === dims.length - 1 ? UNKNOWN_DIM : dim)) : dims)];
};

/** One weight per n-gram of the pool. */
const inferTfIdf: InferRule = (context) => {
  const dims = dimsOf(context, 0);
  const indexes = intsOf(context.node, "ngram_indexes");
  const length: Dim = indexes ? indexes.reduce((most, index) => Math.max(most, index), -1) + 1 : UNKNOWN_DIM;
  return [typed("float32", dims && [...dims.slice(0, -1), length])];
};

const holders: readonly (readonly [string, DataType])[] = [
  ["values_strings", "string"],
  ["values_int64s", "int64"],
  ["values_floats", "float32"],
  ["classes_strings", "string"],
];

/** The element type of the mapped values. */
function mappedType(facts: NodeFacts): DataType | undefined {
  const tensor = tensorAttribute(facts.node, "values_tensor");
  if (tensor) return tensor.dtype;
  const held = holders.find(([name]) => facts.node.attributes.has(name))?.[1];
  if (held === "string" && facts.node.attributes.has("classes_strings")) {
    return dtypeOf(facts, 0) === "string" ? "int64" : "string";
  }
  return held;
}

function learner(since: readonly number[], targets: (node: Node) => Dim, dtype?: DataType): OpSpec {
  return {
    since,
    infer: (context) => [
      typed(dtype ?? dtypeOf(context, 0), [dimsOf(context, 0)?.[0] ?? UNKNOWN_DIM, targets(context.node)]),
    ],
    axes: leadingAxis,
    cost: unknownCost,
    exactness: "rounding",
  };
}

/** Labels, then a score per class. */
function classifier(since: readonly number[], strings: string): OpSpec {
  return {
    since,
    infer: (context) => {
      const rows = dimsOf(context, 0)?.[0] ?? UNKNOWN_DIM;
      const named = (stringsAttribute(context.node, strings) ?? []).length > 0;
      return [typed(named ? "string" : "int64", [rows]), typed("float32", [rows, UNKNOWN_DIM])];
    },
    axes: () => [same(end(0, 0), [end(0, 0), end(1, 0)])],
    cost: unknownCost,
    exactness: "rounding",
  };
}

const toFloat = pointwise([1], recast("float32"));

export const textOps = {
  StringConcat: broadcasting([20], "string", exact),
  RegexFullMatch: pointwise([20], recast("bool"), exact),
  StringNormalizer: { since: [10], infer: inferNormalizer, axes: noAxes, cost: noCost, ...exact },
  StringSplit: {
    since: [20],
    infer: (context) => {
      const dims = dimsOf(context, 0);
      return [typed("string", dims && [...dims, UNKNOWN_DIM]), typed("int64", dims)];
    },
    // The longest split of all sets the length of the last axis.
    axes: (node) => dimsOf(node, 0)?.flatMap((_, i) => [mixed(end(0, i), end(0, i)), same(end(0, i), end(1, i))]),
    cost: noCost,
    ...exact,
  },
  TfIdfVectorizer: {
    since: [9],
    infer: inferTfIdf,
    axes: (node) => (dimsOf(node, 0)?.length === 2 ? [same(end(0, 0), end(0, 0))] : []),
    cost: costPerOutput,
    exactness: "rounding",
  },
  "ai.onnx.ml::ArrayFeatureExtractor": {
    since: [1],
    infer: (context) => {
      const dims = dimsOf(context, 0);
      const count = dimsOf(context, 1)?.at(-1) ?? UNKNOWN_DIM;
      return [typed(dtypeOf(context, 0), dims && [...(dims.length === 1 ? [1] : dims.slice(0, -1)), count])];
    },
    axes: noAxes,
    cost: noCost,
    ...exact,
  },
  "ai.onnx.ml::Binarizer": pointwise([1], sameType, exact),
  "ai.onnx.ml::Imputer": pointwise([1], sameType, exact),
  "ai.onnx.ml::Normalizer": { ...toFloat, axes: throughAxes((_, rank) => [rank - 1]) },
  "ai.onnx.ml::Scaler": toFloat,
  "ai.onnx.ml::LabelEncoder": pointwise(
    [1, 2, 4],
    (context) => [typed(mappedType(context), dimsOf(context, 0))],
    exact,
  ),
  "ai.onnx.ml::TreeEnsemble": learner([5], (node) => intOf(node, "n_targets", 1)),
  "ai.onnx.ml::TreeEnsembleRegressor": learner([1, 3, 5], (node) => intOf(node, "n_targets", 1), "float32"),
  "ai.onnx.ml::LinearRegressor": learner([1], (node) => intOf(node, "targets", 1), "float32"),
  "ai.onnx.ml::TreeEnsembleClassifier": classifier([1, 3, 5], "classlabels_strings"),
  "ai.onnx.ml::LinearClassifier": classifier([1], "classlabels_strings"),
} satisfies Record<string, OpSpec>;

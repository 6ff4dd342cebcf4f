/** @file Operators of ai.onnx.ml for features, labels and trees. */
import { atLeast, lastOf, nth } from "../checked.ts";
import {
  type Attribute,
  floatOf,
  floatsAttribute,
  int64s,
  intOf,
  intsOf,
  maxOf,
  minOf,
  type Node,
  stringOf,
  stringsAttribute,
  tensorAttribute,
} from "../ir/index.ts";
import { bounded, type Dense, dense, fromTensor, numbers, select, slotsOf, text } from "./dense.ts";
import { mapped } from "./elementwise.ts";
import { gathered } from "./gather.ts";
import { type Call, inputOf, type Kernels, unsupported } from "./kernel.ts";
import { softmaxLine } from "./softmax.ts";

/** A list that an attribute holds in one of four forms: `keys_int64s`, `keys_floats`, `keys_strings`, `keys_tensor`. */
function list(node: Node, prefix: string): Dense | undefined {
  const ints = node.attributes.get(`${prefix}_int64s`);
  if (ints?.type === "ints") return fromTensor(int64s(ints.value));
  const floats = floatsAttribute(node, `${prefix}_floats`);
  if (floats) return dense("float32", [floats.length], floats);
  const words = stringsAttribute(node, `${prefix}_strings`);
  if (words) return text([words.length], words);
  const given = tensorAttribute(node, `${prefix}_tensor`);
  return given && fromTensor(given);
}

/** What an element that is no key becomes. */
function defaultOf(node: Node, values: Dense): Dense {
  const given = tensorAttribute(node, "default_tensor");
  if (given) return fromTensor(given);
  if (values.dtype === "string") return text([1], [stringOf(node, "default_string", "_Unused")]);
  if (values.dtype === "int64") return dense("int64", [1], [intOf(node, "default_int64", -1)]);
  return dense(values.dtype, [1], [floatOf(node, "default_float", -0)]);
}

function encodeLabels(call: Call): Dense {
  const x = inputOf(call, 0);
  const [keys, values] = [list(call.node, "keys"), list(call.node, "values")];
  if (!keys || !values) throw unsupported(call, "this form of keys and values");
  const places = new Map(Array.from(slotsOf(keys), (key, i) => [key, i]));
  const fallback = defaultOf(call.node, values);
  const source = Array.from(slotsOf(x), (key) => places.get(key) ?? -1);
  const result = select(values, x.dims, source);
  const to = slotsOf(result);
  source.forEach((at, i) => {
    if (at < 0) to[i] = fallback.data[0];
  });
  return result;
}

/** Which way a node of a tree goes, by the code of its mode. Code 6 tests membership. */
const branches: readonly ((x: number, split: number) => boolean)[] = [
  (x, split) => x <= split,
  (x, split) => x < split,
  (x, split) => x >= split,
  (x, split) => x > split,
  (x, split) => x === split,
  (x, split) => x !== split,
];
const MEMBER = 6;

interface Trees {
  readonly roots: readonly number[];
  readonly modes: Float64Array;
  readonly splits: Float64Array;
  readonly features: readonly number[];
  readonly missing: readonly number[] | undefined;
  readonly next: { readonly [way in "true" | "false"]: { ids: readonly number[]; leafs: readonly number[] } };
  readonly leafTargets: readonly number[];
  readonly leafWeights: Float64Array;
  /** Of each membership node, in order of the nodes. */
  readonly members: ReadonlyMap<number, ReadonlySet<number>>;
}

function treesOf(node: Node): Trees {
  const ints = (name: string): readonly number[] => intsOf(node, name) ?? [];
  const table = (name: string): Float64Array => {
    const attribute: Attribute | undefined = node.attributes.get(name);
    return attribute?.type === "tensor" ? numbers(fromTensor(attribute.value)) : new Float64Array();
  };
  const modes = table("nodes_modes");
  const way = (name: string) => ({ ids: ints(`nodes_${name}nodeids`), leafs: ints(`nodes_${name}leafs`) });
  const testing = [...modes.keys()].filter((i) => modes[i] === MEMBER);
  const sets: Set<number>[] = [new Set()];
  for (const value of table("membership_values")) {
    if (Number.isNaN(value)) sets.push(new Set());
    else lastOf(sets).add(value);
  }
  return {
    roots: ints("tree_roots"),
    modes,
    splits: table("nodes_splits"),
    features: ints("nodes_featureids"),
    missing: intsOf(node, "nodes_missing_value_tracks_true"),
    next: { true: way("true"), false: way("false") },
    leafTargets: ints("leaf_targetids"),
    leafWeights: table("leaf_weights"),
    members: new Map(testing.map((at, i) => [at, sets[i] ?? new Set<number>()])),
  };
}

/** The leaf that a row of features falls to. */
function leafOf(trees: Trees, root: number, row: Float64Array): number {
  let at = root;
  for (let steps = 0; steps <= trees.modes.length; steps++) {
    const x = row[nth(trees.features, at)]!;
    const members = trees.members.get(at);
    const holds = members ? members.has(x) : nth(branches, trees.modes[at]!)(x, trees.splits[at]!);
    const way = holds || (Number.isNaN(x) && trees.missing?.[at] === 1) ? "true" : "false";
    const { ids, leafs } = trees.next[way];
    if (leafs[at] === 1) return nth(ids, at);
    at = nth(ids, at);
  }
  throw new RangeError("a tree runs in a circle");
}

type Aggregate = (weights: readonly number[], trees: number) => number;

const aggregates: readonly Aggregate[] = [
  (weights, trees) => weights.reduce((a, b) => a + b, 0) / trees,
  (weights) => weights.reduce((a, b) => a + b, 0),
  (weights) => minOf(weights),
  (weights) => maxOf(weights),
];

/** The codes of `post_transform`: none, softmax, logistic. */
const transforms: readonly ((scores: Float64Array) => Float64Array)[] = [
  (scores) => scores,
  softmaxLine,
  (scores) => scores.map((value) => 1 / (1 + Math.exp(-value))),
];

function treeEnsemble(call: Call): Dense {
  const x = inputOf(call, 0);
  const { node } = call;
  const trees = treesOf(node);
  const targets = intOf(node, "n_targets", 1);
  const aggregate = aggregates[intOf(node, "aggregate_function", 1)];
  const transform = transforms[intOf(node, "post_transform", 0)];
  if (!aggregate || !transform) throw unsupported(call, "this aggregation or transformation");
  const [rows, width] = atLeast(x.dims, 2);
  const result = new Float64Array(bounded(rows * targets));
  for (let row = 0; row < rows; row++) {
    const features = numbers(x).subarray(row * width, (row + 1) * width);
    const leaves = trees.roots.map((root) => leafOf(trees, root, features));
    const scores = new Float64Array(targets).map((_, target) => {
      const weights = leaves
        .filter((leaf) => trees.leafTargets[leaf] === target)
        .map((leaf) => trees.leafWeights[leaf]!);
      return weights.length === 0 ? 0 : aggregate(weights, trees.roots.length);
    });
    result.set(transform(scores), row * targets);
  }
  return dense(x.dtype, [rows, targets], result);
}

export const classicals = {
  "ai.onnx.ml::ArrayFeatureExtractor": (call) => {
    const [x, indices] = [inputOf(call, 0), inputOf(call, 1)];
    const picked = gathered(x, { ...indices, dims: [numbers(indices).length] }, x.dims.length - 1);
    return x.dims.length === 1 ? { ...picked, dims: [1, ...picked.dims] } : picked;
  },
  "ai.onnx.ml::Binarizer": (call) => {
    const threshold = floatOf(call.node, "threshold", 0);
    return mapped(inputOf(call, 0), (value) => (value > threshold ? 1 : 0));
  },
  "ai.onnx.ml::LabelEncoder": encodeLabels,
  "ai.onnx.ml::TreeEnsemble": treeEnsemble,
} satisfies Kernels;

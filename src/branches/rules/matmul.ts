/** @file Products of matrices: batched over the branches, or one wide product where all branches read the same. */
import { atLeast, lastOf } from "../../checked.ts";
import { type Dims, floatOf, intOf, type Value } from "../../ir/index.ts";
import { namedProduct } from "../../ops/index.ts";
import { declined } from "../../rewrite/index.ts";
import { type Operand, type Stacked, stacked } from "../operand.ts";
import type { Fusion, FusionRule, Parts, SumRule } from "../rule.ts";
import { added } from "./elementwise.ts";

const isWeight = (operand: Operand | undefined): boolean => operand?.kind === "own" && operand.rank === 2;

/** Weights W_j [K, F] side by side: x·W_j for all j. */
function byWeights(f: Fusion, a: Operand, w: Operand, dims: Dims): Operand {
  const parts = f.partsOf(a);
  if (parts?.scale) return byScaledWeights(f, { ...parts, scale: parts.scale }, w, dims);
  if (a.kind === "common" && f.form === "wide") return wide(f, a.value, w, dims);
  return batched(f, a, f.at(w, 0), dims);
}

/** (u ⊙ γ_j + β_j)·W_j = u·(γ_j ⊙ W_j) + β_j·W_j: weights are scaled, which are smaller than what they multiply. */
function byScaledWeights(f: Fusion, parts: Parts & { readonly scale: Operand }, w: Operand, dims: Dims): Operand {
  const weights = f.at(w, 0);
  const [, length, features] = atLeast(f.dims(weights), 3);
  const scale = f.reshape(f.at(parts.scale, 0), [f.count, length, 1]);
  const scaled = f.op("Mul", [weights, scale]);
  const { unit } = parts;
  const product =
    unit.kind === "common" && f.form === "wide"
      ? f.split(f.op("MatMul", [unit.value, f.merged(stacked(scaled, 0, 2), 1)]), dims, dims.length - 1)
      : batched(f, unit, scaled, dims);
  if (!parts.shift) return product;
  const shifts = f.op("MatMul", [f.aligned(parts.shift, 0, 2), weights]);
  const shift = stacked(f.reshape(shifts, [f.count, features]), 0, 1);
  const sum = added(f, product, shift);
  f.note(sum.value, { unit: product, shift });
  return sum;
}

/** By weights [n, K, F]; `dims` are those of the product of one branch. */
export function batched(f: Fusion, a: Operand, weights: Value, dims: Dims): Stacked {
  const rank = dims.length;
  const inner = a.kind === "common" ? a.value : f.at(a, 0);
  const rows = rank > 2 ? flattened(f, inner, a.kind === "common" ? 0 : 1) : inner;
  if (!rows) {
    const ones = new Array<number>(rank - 2).fill(1);
    const aligned = f.reshape(weights, [f.count, ...ones, ...f.dims(weights).slice(1)]);
    return stacked(f.op("MatMul", [f.aligned(a, 0, rank), aligned]), 0, rank);
  }
  const product = f.op("MatMul", [rows, weights]);
  return stacked(rank > 2 ? f.reshape(product, [f.count, ...dims]) : product, 0, rank);
}

/** x·[W_1 … W_n]. */
function wide(f: Fusion, x: Value, w: Operand, dims: Dims): Operand {
  return f.split(f.op("MatMul", [x, f.joined(w, 1)]), dims, dims.length - 1);
}

/** All axes but the last made one, behind `kept` axes; where at most one of them is unknown. */
function flattened(f: Fusion, value: Value, kept: number): Value | undefined {
  const dims = f.dims(value);
  const unknown = dims.filter((dim) => typeof dim !== "number");
  if (unknown.length > 1) return undefined;
  return f.reshape(value, [...dims.slice(0, kept), namedProduct(dims.slice(kept, -1)), lastOf(dims)]);
}

/** Σ h_j·W_j = [h_1 … h_n]·[W_1; …; W_n], where the branches lie before the features already. */
const productOfJoined: SumRule = {
  through: () => [],
  emit(f, _, [a, w]) {
    if (a?.kind !== "stacked" || !w || !isWeight(w) || a.axis !== a.rank - 1) return undefined;
    return f.op("MatMul", [f.merged(a, a.axis), f.joined(w, 0)]);
  },
};

const matmul: FusionRule = {
  fuse(f, node, [a, b]) {
    if (!a || !b || a.rank < 2 || b.rank < 2) return declined("a product with a vector");
    const dims = f.dims(node.outputs[0]);
    const rank = dims.length;
    if (isWeight(b) && a.rank === rank) return [byWeights(f, a, b, dims)];
    if (a.kind === "stacked" && b.kind === "common" && b.rank === 2 && a.axis < a.rank) {
      return [stacked(f.op("MatMul", [a.value, b.value]), a.axis, rank)];
    }
    return [stacked(f.op("MatMul", [f.aligned(a, 0, rank), f.aligned(b, 0, rank)]), 0, rank)];
  },
  sum: productOfJoined,
};

const gemm: FusionRule = {
  fuse(f, node, [a, b, c]) {
    if (!a || !b || intOf(node, "transA", 0) !== 0) return declined("a transposed left side");
    const turn = (value: Value): Value =>
      intOf(node, "transB", 0) === 0 ? value : f.op("Transpose", [value], { perm: [0, 2, 1] });
    const right = turn(f.at(b, 0));
    const left = a.kind === "common" ? a.value : f.at(a, 0);
    const product = scaled(f, f.op("MatMul", [left, right]), floatOf(node, "alpha", 1));
    if (!c) return [stacked(product, 0, 2)];
    const shift = scaled(f, f.aligned(c, 0, 2), floatOf(node, "beta", 1));
    return [stacked(f.op("Add", [product, shift]), 0, 2)];
  },
};

function scaled(f: Fusion, value: Value, factor: number): Value {
  return factor === 1 ? value : f.op("Mul", [value, f.number(factor, f.dtype(value))]);
}

export const matmulRules = { MatMul: matmul, Gemm: gemm } satisfies Record<string, FusionRule>;

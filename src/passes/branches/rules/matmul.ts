/** @file Products of matrices: batched over the branches, or one wide product where all branches read the same. */
import { type Dims, floatOf, intOf, type Value } from "../../../ir/index.ts";
import { declined } from "../../../rewrite/index.ts";
import { type Operand, stacked } from "../operand.ts";
import type { Fusion, FusionRule, SumRule } from "../rule.ts";

const isWeight = (operand: Operand | undefined): boolean => operand?.kind === "own" && operand.rank === 2;

/** Weights W_j [K, F] side by side: x·W_j for all j. */
function byWeights(f: Fusion, a: Operand, w: Operand, dims: Dims): Operand {
  if (a.kind === "common" && f.form === "wide") return wide(f, a.value, w, dims);
  const rank = dims.length;
  const inner = a.kind === "common" ? a.value : f.at(a, 0);
  const rows = rank > 2 ? flattened(f, inner, a.kind === "common" ? 0 : 1) : inner;
  if (!rows) return stacked(f.op("MatMul", [f.aligned(a, 0, rank), f.aligned(w, 0, rank)]), 0, rank);
  const product = f.op("MatMul", [rows, f.at(w, 0)]);
  return stacked(rank > 2 ? f.reshape(product, [f.count, ...dims]) : product, 0, rank);
}

/** x·[W_1 … W_n]. */
function wide(f: Fusion, x: Value, w: Operand, dims: Dims): Operand {
  const rank = dims.length;
  const product = f.op("MatMul", [x, f.joined(w, 1)]);
  return stacked(f.reshape(product, dims.toSpliced(rank - 1, 0, f.count)), rank - 1, rank);
}

/** All axes but the last made one, behind `kept` axes; where at most one of them is unknown. */
function flattened(f: Fusion, value: Value, kept: number): Value | undefined {
  const dims = f.dims(value);
  const unknown = dims.filter((dim) => typeof dim !== "number");
  if (unknown.length > 1) return undefined;
  const rows = dims
    .slice(kept, -1)
    .reduce<number | string>((a, b) => (a === "" || typeof b !== "number" ? "" : Number(a) * b), 1);
  return f.reshape(value, [...dims.slice(0, kept), rows, dims.at(-1)!]);
}

/** Σ h_j·W_j = [h_1 … h_n]·[W_1; …; W_n], where the branches lie before the features already. */
const productOfJoined: SumRule = {
  through: () => [],
  emit(f, _, [a, w]) {
    if (a?.kind !== "stacked" || !w || !isWeight(w) || a.axis !== a.rank - 1) return undefined;
    return f.op("MatMul", [f.joined(a, a.rank - 1), f.joined(w, 0)]);
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

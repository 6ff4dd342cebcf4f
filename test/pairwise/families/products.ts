/** @file Matrix products, attention and quantization. */
import { positive } from "../../laws/gradient-cases/case.ts";
import { family, fixed, type PairInput, plain, whole } from "../family.ts";

const matmul = family(
  "MatMul",
  {
    a: [[3, 4], [4], [2, 3, 4], [1, 3, 4], [2, 1, 3, 4], [0, 4], [5, 2, 3, 4]],
    b: [[4, 5], [4], [2, 4, 5], [1, 4, 1], [3, 4, 5], [5, 1, 4, 2]],
  },
  ({ a, b }) => {
    const [x, y] = [a.slice(0, -2), b.slice(0, -2)];
    const isOpen = x.every((n, i) => {
      const other = y.at(i - x.length);
      return n === 1 || i < x.length - y.length || other === 1 || other === n;
    });
    return isOpen ? { inputs: [plain(...a), plain(...b)] } : undefined;
  },
);

const gemm = family(
  "Gemm",
  {
    transA: [undefined, 0, 1],
    transB: [undefined, 0, 1],
    alpha: [undefined, 0.5, 0, -2],
    beta: [undefined, 0.5, 0, -1],
    c: ["absent", "full", "row", "column", "scalar", "vector", "single"],
    size: [
      [2, 3, 4],
      [1, 3, 4],
      [2, 1, 1],
      [0, 3, 2],
    ],
    opset: [7, 11, 13],
  },
  ({ transA, transB, alpha, beta, c, size: [m, k, n], opset }) => {
    if (c === "absent" && opset < 11) return undefined;
    const bias = { absent: undefined, full: [m, n], row: [1, n], column: [m, 1], scalar: [], vector: [n], single: [1] }[
      c
    ];
    return {
      inputs: [plain(...(transA ? [k, m] : [m, k])), plain(...(transB ? [n, k] : [k, n])), bias && plain(...bias)],
      attributes: { transA, transB, alpha, beta },
      opset,
    };
  },
);

const fusedMatMul = family(
  "FusedMatMul",
  {
    transA: [undefined, 0, 1],
    transB: [undefined, 0, 1],
    alpha: [undefined, 0.5, -2],
    a: [[], [2], [2, 3], [1]],
    b: [[], [2], [3], [2, 1]],
  },
  ({ transA, transB, alpha, a, b }) => {
    if (a.length > 0 && b.length > 0 && !a.every((n, i) => n === 1 || [1, n, undefined].includes(b.at(i - a.length))))
      return undefined;
    const dims = (batch: readonly number[], rows: number, columns: number, flipped: number | undefined): number[] => [
      ...batch,
      ...(flipped ? [columns, rows] : [rows, columns]),
    ];
    return {
      inputs: [plain(...dims(a, 2, 4, transA)), plain(...dims(b, 4, 5, transB))],
      attributes: { transA, transB, alpha },
    };
  },
  { domain: "com.microsoft" },
);

const einsum = family(
  "Einsum",
  {
    equation: [
      "ij,jk->ik",
      "ij,jk",
      "bij,bjk->bik",
      "ij->ji",
      "ij->",
      "ii->i",
      "ij,ij->i",
      "...ij,...jk->...ik",
      "i,j->ij",
      "bij,jk->bik",
      "ij,j->i",
      "ijk->kj",
      "ij,jk,kl->il",
      "ii",
      " ij , jk -> ik ",
    ],
  },
  ({ equation }) => {
    const terms = equation.replaceAll(" ", "").split("->")[0]!.split(",");
    const length: Record<string, number> = { b: 2, i: 3, j: 4, k: 2, l: 3 };
    return {
      inputs: terms.map((term) => plain(...[...term.replace("...", "b")].map((letter) => length[letter]!))),
      attributes: { equation },
    };
  },
);

const attention = family(
  "Attention",
  {
    heads: [
      [2, 2],
      [4, 2],
      [1, 1],
    ],
    form: ["4-D", "3-D"],
    is_causal: [undefined, 0, 1],
    scale: [undefined, 0.3],
    softcap: [undefined, 0, 0.7],
    mask: ["absent", "float", "bool", "broadcast"],
    lengths: [
      [3, 3],
      [3, 5],
    ],
    wide: [4, 6],
  },
  ({ heads: [q, kv], form, is_causal, scale, softcap, mask, lengths: [n, m], wide }) => {
    const dims = (count: number, length: number, width: number): number[] =>
      form === "4-D" ? [2, count, length, width] : [2, length, count * width];
    const shape = mask === "broadcast" ? [2, 1, n, m] : [n, m];
    const bits = Array.from({ length: n * m }, (_, i) => (i % 4 === 1 ? 0 : 1));
    const masks: Record<typeof mask, PairInput | undefined> = {
      absent: undefined,
      float: plain(...shape),
      broadcast: plain(...shape),
      bool: whole([n, m], bits, "bool"),
    };
    return {
      inputs: [plain(...dims(q, n, 4)), plain(...dims(kv, m, 4)), plain(...dims(kv, m, wide)), masks[mask]],
      attributes: { is_causal, scale, softcap, ...(form === "3-D" && { q_num_heads: q, kv_num_heads: kv }) },
      opset: 23,
    };
  },
  { widths: (rank) => (rank === 4 ? [1, 3] : [2]) },
);

const rotary = family(
  "RotaryEmbedding",
  { form: ["4-D", "3-D"], interleaved: [undefined, 0, 1], part: [undefined, 0, 4], positions: [false, true] },
  ({ form, interleaved, part, positions }) => {
    const width = part === 4 ? 2 : 4;
    const cache = positions ? [6, width] : [2, 3, width];
    const x = form === "4-D" ? [2, 2, 3, 8] : [2, 3, 16];
    return {
      inputs: [
        plain(...x),
        plain(...cache),
        plain(...cache),
        positions ? whole([2, 3], [0, 1, 2, 3, 5, 4]) : undefined,
      ],
      attributes: { interleaved, rotary_embedding_dim: part, num_heads: form === "3-D" ? 2 : undefined },
      opset: 23,
    };
  },
  { widths: (rank) => [...Array(rank).keys()].filter((axis) => axis === rank - 1 || (rank === 4 && axis === 1)) },
);

const multiHead = family(
  "MultiHeadAttention",
  {
    bias: [false, true],
    scale: [undefined, 0.4],
    unidirectional: [undefined, 0, 1],
    lengths: [
      [3, 3],
      [2, 4],
    ],
    added: [false, true],
  },
  ({ bias, scale, unidirectional, lengths: [n, m], added }) => {
    if (unidirectional === 1 && n !== m) return undefined;
    return {
      inputs: [
        plain(2, n, 8),
        plain(2, m, 8),
        plain(2, m, 8),
        bias ? plain(24) : undefined,
        undefined,
        added ? plain(1, 2, n, m) : undefined,
      ],
      attributes: { num_heads: 2, scale, unidirectional },
    };
  },
  { domain: "com.microsoft", widths: (rank) => (rank === 4 ? [] : [rank - 1]) },
);

const dequantize = family(
  "DequantizeLinear",
  {
    dtype: ["int8", "uint8", "int32"],
    scale: ["scalar", "axis", "blocks"],
    axis: [undefined, 0, 1, -1],
    zero: [false, true],
    opset: [10, 13, 19, 21],
  },
  ({ dtype, scale, axis, zero, opset }) => {
    if (scale !== "scalar" && opset < 13) return undefined;
    if (scale === "blocks" && opset < 21) return undefined;
    if (dtype === "int32" && (zero || scale === "blocks")) return undefined;
    if (axis !== undefined && opset < 13) return undefined;
    const dims = [4, 6];
    const at = ((axis ?? 1) + 2) % 2;
    const shape = scale === "scalar" ? [] : scale === "axis" ? [dims[at]!] : dims.map((n, i) => (i === at ? n / 2 : n));
    const count = shape.reduce((n, d) => n * d, 1);
    const zeros = Array.from({ length: count }, (_, i) => (dtype === "uint8" ? 5 + i : i));
    return {
      inputs: [
        whole(
          dims,
          Array.from({ length: 24 }, (_, i) => (i * 37) % 11),
          dtype,
        ),
        positive(...shape),
        zero ? whole(shape, zeros, dtype) : undefined,
      ],
      attributes: { axis, block_size: scale === "blocks" ? 2 : undefined },
      opset,
    };
  },
);

const quantize = family(
  "QuantizeLinear",
  {
    dtype: ["int8", "uint8"],
    scale: ["scalar", "axis", "blocks"],
    axis: [undefined, 0, 1, -1],
    zero: [false, true],
    opset: [10, 13, 19, 21],
  },
  ({ dtype, scale, axis, zero, opset }) => {
    if (scale !== "scalar" && opset < 13) return undefined;
    if (scale === "blocks" && opset < 21) return undefined;
    if ((axis !== undefined && opset < 13) || (!zero && dtype === "int8")) return undefined;
    const dims = [4, 6];
    const at = ((axis ?? 1) + 2) % 2;
    const shape = scale === "scalar" ? [] : scale === "axis" ? [dims[at]!] : dims.map((n, i) => (i === at ? n / 2 : n));
    const count = shape.reduce((n, d) => n * d, 1);
    const zeros = Array.from({ length: count }, (_, i) => (dtype === "uint8" ? 100 + i : i));
    return {
      inputs: [
        plain(...dims),
        fixed(
          shape,
          Array.from({ length: count }, (_, i) => 0.01 + 0.003 * i),
        ),
        zero ? fixed(shape, zeros, dtype) : undefined,
      ],
      attributes: { axis, block_size: scale === "blocks" ? 2 : undefined },
      opset,
    };
  },
);

export const productFamilies = [matmul, gemm, fusedMatMul, einsum, attention, rotary, multiHead, dequantize, quantize];

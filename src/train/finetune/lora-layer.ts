/** @file Layers that can carry a low-rank adapter: how an adapter is computed there, and what it adds to the weight. */
import { floatOf, type GraphBuilder, intOf, type Node, type Value } from "../../ir/index.ts";

/** The dims of an adapter's two factors. */
export interface LoraShape {
  readonly down: readonly number[];
  readonly up: readonly number[];
  /** Inputs of one output: decides how large the first factor begins. */
  readonly fanIn: number;
}

export interface LoraLayer {
  /** Absent where this form of the operator can carry none. */
  shape(node: Node, weight: readonly number[], rank: number): LoraShape | undefined;
  /** What the two factors make of the layer's input, before scaling. */
  branch(g: GraphBuilder, node: Node, x: Value, down: Value, up: Value): Value;
  /** What the factors add to the weight, in its layout, before scaling. */
  product(node: Node, weight: readonly number[], down: Float64Array, up: Float64Array, rank: number): Float64Array;
  /** The rank of a first factor. */
  rankOf(down: readonly number[]): number;
}

/** y = x·W, with A [in, r] and B [r, out]. */
const matMul: LoraLayer = {
  shape: (_, [inputs = 0, outputs = 0, ...more], rank) =>
    more.length > 0 || outputs === 0 ? undefined : { down: [inputs, rank], up: [rank, outputs], fanIn: inputs },
  branch: (g, _, x, down, up) => g.op("MatMul", [g.op("MatMul", [x, down]), up]),
  product: (_, [inputs = 0, outputs = 0], down, up, rank) => matrixProduct(down, up, inputs, rank, outputs),
  rankOf: ([, rank = 0]) => rank,
};

/** As `MatMul`; the weight may be stored transposed. */
const gemm: LoraLayer = {
  shape(node, dims, rank) {
    if (intOf(node, "transA", 0) !== 0 || floatOf(node, "alpha", 1) !== 1) return undefined;
    return matMul.shape(node, isTransposed(node) ? dims.toReversed() : dims, rank);
  },
  branch: matMul.branch,
  product(node, dims, down, up, rank) {
    if (!isTransposed(node)) return matMul.product(node, dims, down, up, rank);
    const [outputs = 0, inputs = 0] = dims;
    const plain = matrixProduct(down, up, inputs, rank, outputs);
    return plain.map((_, i) => plain[(i % inputs) * outputs + Math.floor(i / inputs)]!);
  },
  rankOf: matMul.rankOf,
};

/** A [r, in, k, k] is a convolution of the same geometry, B [out, r, 1, 1] one over single positions. Without groups. */
const conv: LoraLayer = {
  shape(node, dims, rank) {
    const [outputs = 0, inputs = 0, ...kernel] = dims;
    if (intOf(node, "group", 1) !== 1 || kernel.length === 0) return undefined;
    const fanIn = kernel.reduce((product, size) => product * size, inputs);
    return { down: [rank, inputs, ...kernel], up: [outputs, rank, ...kernel.map(() => 1)], fanIn };
  },
  branch(g, node, x, down, up) {
    return g.op("Conv", [g.op("Conv", [x, down], Object.fromEntries(node.attributes)), up]);
  },
  product(_, [outputs = 0, ...rest], down, up, rank) {
    const columns = rest.reduce((product, size) => product * size, 1);
    return matrixProduct(up, down, outputs, rank, columns);
  },
  rankOf: ([rank = 0]) => rank,
};

/** By operator of the standard domain. */
export const loraLayers: ReadonlyMap<string, LoraLayer> = new Map([
  ["MatMul", matMul],
  ["Gemm", gemm],
  ["Conv", conv],
]);

function isTransposed(node: Node): boolean {
  return intOf(node, "transB", 0) !== 0;
}

/** [rows, inner] · [inner, columns]. */
function matrixProduct(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  const product = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < inner; k++) {
      const factor = a[i * inner + k]!;
      for (let j = 0; j < columns; j++) product[i * columns + j]! += factor * b[k * columns + j]!;
    }
  }
  return product;
}

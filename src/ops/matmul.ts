/** @file Matrix products: A `[…, M, K]`, B `[…, K, N]`, Y `[…, M, N]`. */
import { fromEnd, lastOf, nth } from "../checked.ts";
import { type DataType, type Dim, type Dims, elementCount, intOf, maxOf, sameDim, UNKNOWN_DIM } from "../ir/index.ts";
import { end, reduced, same } from "./axes.ts";
import { macCost } from "./cost.ts";
import { broadcastDims, checkRank, dimsOf, dtypeOf, equalDim, outputDims, typed, unknownDims } from "./dims.ts";
import { einsumAxes, einsumCost, inferEinsum } from "./einsum.ts";
import type {
  AxisEnd,
  AxisLink,
  AxisRule,
  Cost,
  CostRule,
  InferContext,
  InferRule,
  NodeFacts,
  OpSpec,
  TypedNode,
} from "./spec.ts";

/** Which inputs are the factors, and what else has an element per column of the result. */
export interface MatrixPorts {
  readonly a: number;
  readonly b: number;
  readonly perColumn?: readonly number[];
}

type Dtype = (facts: NodeFacts) => DataType | undefined;

const swappedLast = (dims: Dims): Dims => [...dims.slice(0, -2), lastOf(dims), fromEnd(dims, 2)];

function factor(facts: NodeFacts, port: number, attribute: string): Dims | undefined {
  const dims = dimsOf(facts, port);
  const swaps = intOf(facts.node, attribute, 0) === 1 && dims && dims.length >= 2;
  return swaps ? swappedLast(dims) : dims;
}

/** Dims of a product after NumPy: vectors are rows (left) or columns (right) and drop out of the result. */
export function productShape(a: Dims | undefined, b: Dims | undefined): Dims | undefined {
  if (!a || !b) return undefined;
  checkRank(a, "the left factor", 1, Number.POSITIVE_INFINITY);
  checkRank(b, "the right factor", 1, Number.POSITIVE_INFINITY);
  equalDim(lastOf(a), b.length === 1 ? nth(b, 0) : fromEnd(b, 2), "the inner dims of a matrix product differ");
  const batch = broadcastDims([a.slice(0, -2), b.slice(0, -2)]) ?? [];
  return [...batch, ...(a.length === 1 ? [] : [fromEnd(a, 2)]), ...(b.length === 1 ? [] : [lastOf(b)])];
}

function matmulCost({ a, b }: MatrixPorts): CostRule {
  return (node): Cost | undefined => {
    const output = outputDims(node);
    const inner = factor(node, a, "transA")?.at(-1) ?? factor(node, b, "transB")?.at(-2);
    return output && macCost(elementCount(output), inner);
  };
}

/** Rows go with A, columns with B, the inner axis is summed over; batch axes as they broadcast. */
function matmulLinks({ a, b, perColumn = [] }: MatrixPorts): AxisRule {
  return (node) => {
    const left = dimsOf(node, a);
    const right = dimsOf(node, b);
    const output = outputDims(node);
    if (!left || !right || !output || left.length === 0 || right.length === 0) return undefined;
    const place = (port: number, attribute: string, dims: Dims, fromEnd: number): AxisEnd => {
      const swapped = dims.length >= 2 && intOf(node.node, attribute, 0) === 1;
      return end(port, dims.length - (swapped ? 3 - fromEnd : fromEnd));
    };
    const inner = [place(a, "transA", left, 1), place(b, "transB", right, right.length === 1 ? 1 : 2)];
    const links: AxisLink[] = [reduced(inner)];
    const columns = right.length > 1;
    if (left.length > 1) links.push(same(place(a, "transA", left, 2), end(0, output.length - (columns ? 2 : 1))));
    const vectors = perColumn.filter((port) => dimsOf(node, port)?.length === 1 && dimsOf(node, port)?.[0] !== 1);
    if (columns) {
      const ends = [place(b, "transB", right, 1), ...vectors.map((port) => end(port, 0))];
      links.push(same(ends, end(0, output.length - 1)));
    }
    return [
      ...links,
      ...batchLinks(
        [
          [a, left],
          [b, right],
        ],
        output,
      ),
    ];
  };
}

function batchLinks(factors: readonly (readonly [number, Dims])[], output: Dims): AxisLink[] {
  const rank = maxOf(factors.map(([, dims]) => dims.length));
  const batch = output.slice(0, Math.max(0, rank - 2));
  return batch.flatMap((dim, axis) => {
    const ends = factors.flatMap(([port, dims]): [AxisEnd, Dim][] => {
      const own = axis - rank + dims.length;
      return own >= 0 && own < dims.length - 2 && dims[own] !== 1 ? [[end(port, own), dims[own]!]] : [];
    });
    const certain = ends.length === 1 || ends.every(([, other]) => sameDim(other, dim));
    return ends.length > 0 && certain
      ? [
          same(
            ends.map(([one]) => one),
            end(0, axis),
          ),
        ]
      : [];
  });
}

/** An entry for a product of two inputs, transposed where `transA` and `transB` say so. */
export function matrixProduct(since: readonly number[], ports: MatrixPorts, dtype: Dtype): OpSpec {
  const infer: InferRule = (context) => [
    typed(dtype(context), productShape(factor(context, ports.a, "transA"), factor(context, ports.b, "transB"))),
  ];
  return { since, infer, axes: matmulLinks(ports), cost: matmulCost(ports), exactness: "rounding" };
}

const firstType: Dtype = (facts) => dtypeOf(facts, 0) ?? dtypeOf(facts, 1);

function inferGemm(context: InferContext) {
  const a = factor(context, 0, "transA") ?? unknownDims(2);
  const b = factor(context, 1, "transB") ?? unknownDims(2);
  checkRank(a, "A of a Gemm", 2);
  checkRank(b, "B of a Gemm", 2);
  const dims = productShape(a, b) ?? unknownDims(2);
  return [typed(firstType(context), broadcastGemm(dims, dimsOf(context, 2)))];
}

/** C is spread over the product; one that does not fit is an error. */
function broadcastGemm(dims: Dims, c: Dims | undefined): Dims {
  if (!c || dims.includes(UNKNOWN_DIM)) return dims;
  broadcastDims([dims, c]);
  return dims;
}

const gemmLinks: AxisRule = (node) => {
  const links = matmulLinks({ a: 0, b: 1 })(node);
  const c = dimsOf(node, 2);
  const output = outputDims(node);
  if (!links || !c || !output) return links;
  return links.map((link) => withBias(link, c, output));
};

function withBias(link: AxisLink, c: Dims, output: Dims): AxisLink {
  const target = link.outputs[0];
  const axis = target && target.axis - output.length + c.length;
  if (axis === undefined || axis < 0 || c[axis] === 1) return link;
  return { ...link, inputs: [...link.inputs, end(2, axis)] };
}

const gemm = (since: readonly number[]): OpSpec => ({
  since,
  infer: inferGemm,
  axes: gemmLinks,
  cost: (node: TypedNode) => matmulCost({ a: 0, b: 1 })(node),
  exactness: "rounding",
});

export const matmulOps = {
  MatMul: matrixProduct([1, 9, 13], { a: 0, b: 1 }, firstType),
  Gemm: { ...gemm([1, 6, 7, 9, 11, 13]), weights: { initial: { 2: 0 } } },
  MatMulInteger: {
    ...matrixProduct([10], { a: 0, b: 1, perColumn: [3] }, () => "int32"),
    weights: { quantized: [0, 1], settings: [2, 3] },
  },
  QLinearMatMul: {
    ...matrixProduct([10, 21], { a: 0, b: 3, perColumn: [4, 5] }, (facts) => dtypeOf(facts, 7) ?? dtypeOf(facts, 0)),
    weights: { quantized: [0, 3], settings: [1, 2, 4, 5, 6, 7] },
  },
  Einsum: { since: [12, 28], infer: inferEinsum, axes: einsumAxes, cost: einsumCost, exactness: "rounding" },
  "com.microsoft::FusedMatMul": matrixProduct([1], { a: 0, b: 1 }, firstType),
  "com.microsoft::FusedGemm": gemm([1]),
  "com.microsoft::TransposeMatMul": matrixProduct([1], { a: 0, b: 1 }, firstType),
  "com.microsoft::MatMulIntegerToFloat": {
    ...matrixProduct([1], { a: 0, b: 1, perColumn: [3, 5, 6] }, (facts) => dtypeOf(facts, 2)),
    weights: { quantized: [0, 1], settings: [2, 3, 4, 5] },
  },
  "com.microsoft::DynamicQuantizeMatMul": {
    ...matrixProduct([1], { a: 0, b: 1, perColumn: [2, 3, 4] }, firstType),
    weights: { quantized: [1], settings: [2, 3] },
  },
} satisfies Record<string, OpSpec>;

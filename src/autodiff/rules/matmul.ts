/** @file Gradients of products: MatMul, Gemm, Einsum. */
import { nth } from "../../checked.ts";
import { UnsupportedError } from "../../errors.ts";
import { describeNode, floatOf, intOf, stringOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import type { GradientEntry, GradientRule } from "../rule.ts";

/**
 * y = a·b ⇒ da = dy·bᵀ, db = aᵀ·dy, each summed over broadcast batch axes. A vector is a matrix of one row or column.
 * A weight of rank 2 under a batched input sums over the batch inside one product.
 */
const matmul: GradientRule = (g, { inputs: [a, b] }, [dy], needs) => {
  if (!a || !b || !dy) return [];
  const left = g.rank(a) === 1 ? g.unsqueeze(a, [0]) : a;
  const right = g.rank(b) === 1 ? g.unsqueeze(b, [1]) : b;
  const full = Math.max(g.rank(left), g.rank(right));
  const added = [...(g.rank(a) === 1 ? [full - 2] : []), ...(g.rank(b) === 1 ? [full - 1] : [])];
  const product = g.unsqueeze(dy, added);
  return [
    needs[0] ? g.reshapeLike(g.sumTo(g.matmul(product, g.transposeLast(right)), left), a) : undefined,
    needs[1] ? g.reshapeLike(weightGradient(g, left, right, product), b) : undefined,
  ];
};

function weightGradient(g: GradientBuilder, a: Value, b: Value, dy: Value): Value {
  if (g.rank(b) > 2 || g.rank(a) === 2) return g.sumTo(g.matmul(g.transposeLast(a), dy), b);
  const [inputs, outputs] = [g.dims(a).at(-1), g.dims(dy).at(-1)];
  if (typeof inputs !== "number" || typeof outputs !== "number") {
    return g.sumTo(g.matmul(g.transposeLast(a), dy), b);
  }
  const flat = (x: Value): Value => g.op("Reshape", [x, g.ints([-1, Number(g.dims(x).at(-1))])]);
  if (g.forms.weightProduct === "fused") return g.matmul(g.transpose(flat(a), [1, 0]), flat(dy));
  if (inputs <= outputs) return g.matmul(channels(g, a), flat(dy));
  return g.transpose(g.matmul(channels(g, dy), flat(a)), [1, 0]);
}

/** [A, B, …, C] → [C, A·B·…], in an order that the runtime does not fuse into the product. */
function channels(g: GradientBuilder, x: Value): Value {
  const last = g.rank(x) - 1;
  return g.op("Reshape", [g.transpose(x, [last, ...Array(last).keys()]), g.ints([Number(g.dims(x)[last]), -1])]);
}

/** y = α·A′·B′ + β·C, where ′ is an optional transpose. */
const gemm: GradientRule = (g, node, [dy], needs) => {
  const [a, b, c] = node.inputs;
  if (!a || !b || !dy) return [];
  const alpha = floatOf(node, "alpha", 1);
  const transA = intOf(node, "transA", 0);
  const transB = intOf(node, "transB", 0);
  const product = (x: Value, y: Value, left: number, right: number): Value =>
    g.op("Gemm", [x, y], { alpha: { type: "float", value: alpha }, transA: left, transB: right });
  return [
    needs[0] ? (transA ? product(b, dy, transB, 1) : product(dy, b, 0, transB ? 0 : 1)) : undefined,
    needs[1] ? (transB ? product(dy, a, 1, transA) : product(a, dy, transA ? 0 : 1, 0)) : undefined,
    c && needs[2] ? g.scale(g.sumTo(dy, c), floatOf(node, "beta", 1)) : undefined,
  ];
};

/**
 * The cotangent of one operand is the product of dy with the other operands, with that operand's labels as the result.
 * Labels that only this operand has were summed, so they are broadcast back.
 */
const einsum: GradientRule = (g, node, [dy], needs) => {
  if (!dy) return [];
  const equation = stringOf(node, "equation", "").replaceAll(" ", "");
  const operands = node.inputs.filter((x): x is Value => x !== undefined);
  const { terms, result } = parseEquation(equation);
  const refuse = (reason: string): never => {
    throw new UnsupportedError(`Einsum has no gradient here: ${reason}`, {
      got: JSON.stringify(equation),
      where: describeNode(node),
    });
  };
  if (equation.includes("...")) refuse("the equation has an ellipsis");
  for (const term of terms) if (new Set(term).size !== term.length) refuse("an operand repeats a label");
  return operands.map((x, i) => (needs[i] ? operandGradient(g, { operands, terms, result, dy }, x, i) : undefined));
};

interface Contraction {
  readonly operands: readonly Value[];
  readonly terms: readonly string[];
  readonly result: string;
  readonly dy: Value;
}

function operandGradient(g: GradientBuilder, { operands, terms, result, dy }: Contraction, x: Value, i: number): Value {
  const own = nth(terms, i);
  const others = operands.map((value, k) => ({ value, term: nth(terms, k) })).filter((_, k) => k !== i);
  const reachable = new Set([...result, ...others.flatMap(({ term }) => [...term])]);
  const kept = [...own].filter((label) => reachable.has(label)).join("");
  const inputs = [dy, ...others.map(({ value }) => value)];
  const equation = `${[result, ...others.map(({ term }) => term)].join(",")}->${kept}`;
  const product = g.op("Einsum", inputs, { equation });
  if (kept === own) return product;
  const missing = [...own].flatMap((label, axis) => (reachable.has(label) ? [] : [axis]));
  return g.expandLike(g.unsqueeze(product, missing), x);
}

function parseEquation(equation: string): { terms: string[]; result: string } {
  const [left = "", right] = equation.split("->");
  const terms = left.split(",");
  if (right !== undefined) return { terms, result: right };
  const labels = [...terms.join("")].sort();
  return { terms, result: labels.filter((label) => labels.indexOf(label) === labels.lastIndexOf(label)).join("") };
}

export const products = {
  MatMul: matmul,
  Gemm: gemm,
  Einsum: einsum,
} satisfies Record<string, GradientEntry>;

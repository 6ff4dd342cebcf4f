/** @file MatMul of matrices and an addition along the rows become one Gemm. */
import type { Node, Value } from "../ir/index.ts";
import { declined, type Pass, type Rule, type RuleContext, replaceBy, rulePass, typesIn } from "../rewrite/index.ts";

const matmulAdd: Rule = {
  name: "matmul-add",
  roots: ["Add"],
  apply(node, context) {
    const [a, b] = node.inputs;
    if (!a || !b || node.attributes.size > 0) return undefined;
    return fused(context, a, b) ?? fused(context, b, a);
  },
};

function fused(context: RuleContext, sum: Value, bias: Value): ReturnType<Rule["apply"]> {
  const product = context.producer(sum);
  if (product?.opType !== "MatMul" || product.domain !== "") return undefined;
  const [x, w] = product.inputs;
  if (!x || !w || !areMatrices(context, product)) return undefined;
  if (!context.soleConsumer(sum)) return declined("something else reads the product");
  if (!fitsRows(context, bias, context.dims(w)?.[1])) return undefined;
  return replaceBy("a product of matrices and a bias are one Gemm", context.g.op("Gemm", [x, w, bias]));
}

/** Gemm multiplies float matrices only. */
function areMatrices(context: RuleContext, { inputs }: Node): boolean {
  return inputs.every((value) => {
    const type = context.type(value);
    return type?.kind === "tensor" && type.dims?.length === 2 && /^float(16|32|64)$/.test(type.dtype);
  });
}

/** A constant whose rows are those of the product: it adds no dims and no length. */
function fitsRows(context: RuleContext, bias: Value, columns: number | string | undefined): boolean {
  const dims = context.constant(bias)?.dims;
  if (!dims || dims.length > 2) return false;
  const [last = 1, ...rows] = dims.toReversed();
  return (last === 1 || last === columns) && rows.every((dim) => dim === 1);
}

/** Rounding: the runtime may add in another order. Applies to 2-D float products with a constant bias. */
export function fuseMatmulAdd(): Pass {
  return rulePass("fuse-matmul-add", "rounding", [matmulAdd], { types: typesIn });
}

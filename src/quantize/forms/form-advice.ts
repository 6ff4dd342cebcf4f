/** @file What a measured form table says about a whole model. */
import { type Dims, intOf, type Model, type Node } from "../../ir/index.ts";
import { inferModel } from "../../ops/index.ts";
import type { Form } from "../report.ts";
import { advice, type FormTable, type ProbeForm } from "./form-table.ts";
import type { ProbeProduct } from "./probe-models.ts";

export interface ModelAdvice {
  /** `loses`: for every kind of product in the model the form is measured slower than float32, or does not run. */
  readonly verdict: "pays" | "loses" | "unknown";
  /** The products that decide, with their ratios: `conv 1.72×, depthwise 0.45×`. */
  readonly reason: string;
}

/** The forms of the table that a quantizer makes. */
const probeForms: Readonly<Record<Form, readonly ProbeForm[]>> = {
  static: ["static u8s8"],
  dynamic: ["dynamic u8u8"],
  "weight-only": ["weight-only 8-bit blocks", "weight-only 4-bit blocks"],
  float16: ["float16"],
  levels: [],
};

/** Whether a form can pay on the table's provider, judged by the products that the model is made of. */
export function modelAdvice(model: Model, table: FormTable, form: Form): ModelAdvice {
  const products = productsOf(model).filter((product) => form !== "weight-only" || product.startsWith("matmul"));
  const judged = products.flatMap((product) =>
    probeForms[form].map((probed) => ({ product, ...advice(table, product, probed) })),
  );
  if (judged.length === 0) return { verdict: "unknown", reason: "the table has no product of this model" };
  const figures = judged.map(
    ({ product, ratio }) => `${product} ${ratio === undefined ? "does not run" : `${ratio.toFixed(2)}×`}`,
  );
  return { verdict: judged.some(({ verdict }) => verdict === "pays") ? "pays" : "loses", reason: figures.join(", ") };
}

/** The kinds of products with constant weights in a model, as the table names them. */
function productsOf(model: Model): ProbeProduct[] {
  const { types } = inferModel(model);
  const found = new Set<ProbeProduct>();
  for (const node of model.graph.nodes) {
    const type = node.inputs[1] && types.get(node.inputs[1]);
    const product = type?.kind === "tensor" && type.dims ? productOf(node, type.dims) : undefined;
    if (product) found.add(product);
  }
  return [...found];
}

function productOf(node: Node, weight: Dims): ProbeProduct | undefined {
  if (node.opType === "MatMul" || node.opType === "Gemm") return "matmul of one row";
  if (node.opType !== "Conv") return undefined;
  const group = intOf(node, "group", 1);
  if (group > 1 && weight[1] === 1) return "depthwise";
  return weight.slice(2).every((length) => length === 1) ? "conv 1x1" : "conv";
}

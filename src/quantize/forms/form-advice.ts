/** @file What a measured form table says about a whole model. */
import { type Dims, intOf, type Model, type Node } from "../../ir/index.ts";
import { inferModel } from "../../ops/index.ts";
import type { Form } from "../report.ts";
import { storedBits, type WeightBits } from "../weights/weight-blocks.ts";
import { type Advice, advice, type FormTable, type ProbeForm } from "./form-table.ts";
import type { ProbeProduct } from "./probe-models.ts";

export interface ModelAdvice {
  /** `loses`: for every kind of product in the model the form is measured slower than float32, or does not run. */
  readonly verdict: "pays" | "loses" | "unknown";
  /** The products that decide, with their ratios: `conv 1.72×, depthwise 0.45×`. */
  readonly reason: string;
}

/** What tells one weight-only form from another. */
export interface StoredForm {
  /** Default 4. */
  readonly bits?: WeightBits;
  /** Default 4: activations rounded to int8. Below 4 the kernel computes on floats, and has another time. */
  readonly accuracyLevel?: 0 | 1 | 2 | 3 | 4;
}

/** The row of the table that speaks of what a quantizer makes; weights of few levels have none, as they are constants when they run. */
function rowOf(form: Form, { bits = 4, accuracyLevel = 4 }: StoredForm): ProbeForm | undefined {
  if (form === "levels") return undefined;
  if (form === "static") return "static u8s8";
  if (form === "dynamic") return "dynamic u8u8";
  if (form === "float16") return "float16";
  return `weight-only ${storedBits(bits)}-bit blocks${accuracyLevel === 4 ? "" : ", exact"}`;
}

/**
 * Whether a form can pay on the table's provider, judged by the products that the model is made of. Bits, accuracy level and processor
 * are one row of the table: what another row says of its own is no reason for this form. A table that lacks the row knows nothing.
 */
export function modelAdvice(model: Model, table: FormTable, form: Form, stored: StoredForm = {}): ModelAdvice {
  const row = rowOf(form, stored);
  const isKnown = (product: ProbeProduct) =>
    table.entries.some((entry) => entry.product === product && entry.form === row);
  const products = productsOf(model).filter((product) => form !== "weight-only" || product.startsWith("matmul"));
  if (products.length === 0) return { verdict: "unknown", reason: "the table has no product of this model" };
  if (row === undefined) return { verdict: "unknown", reason: "the table has no row for weights of few levels" };
  const judged = products.filter(isKnown).map((product) => ({ product, ...advice(table, product, row) }));
  if (judged.length === 0) return { verdict: "unknown", reason: `the table has no row ${row}; probe again` };
  const reason = judged.map(({ product, ratio }) => `${product} ${figureOf(ratio)}`).join(", ");
  return { verdict: judged.some(({ verdict }) => verdict === "pays") ? "pays" : "loses", reason };
}

function figureOf(ratio: Advice["ratio"]): string {
  return ratio === undefined ? "does not run" : `${ratio.toFixed(2)}×`;
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

/** @file A planted test of uint8 × int8 arithmetic. */
import { graphBuilder, model, numbersOf, tensorFromNumbers } from "../ir/index.ts";
import type { OpenSession } from "./session.ts";

const TERMS = 64;
const ACTIVATION = 255;
const WEIGHT = 127;

/** Whether sums of 255 · 127, as `open`'s runtime computes them by default, come out wrong. */
export async function probeSaturation(open: OpenSession): Promise<boolean> {
  const g = graphBuilder();
  const activations = g.input("activations", "uint8", [TERMS, TERMS]);
  const planted = new Float64Array(TERMS * TERMS).fill(WEIGHT);
  const weights = g.constant("weights", tensorFromNumbers("int8", [TERMS, TERMS], planted));
  g.output(g.op("MatMulInteger", [activations, weights]), "product");
  await using session = await open(model(g.build()), { stock: true });
  const data = new Uint8Array(TERMS * TERMS).fill(ACTIVATION);
  const results = await session.run(new Map([["activations", { dtype: "uint8", dims: [TERMS, TERMS], data }]]));
  return numbersOf(results.get("product")!).some((value) => value !== ACTIVATION * WEIGHT * TERMS);
}

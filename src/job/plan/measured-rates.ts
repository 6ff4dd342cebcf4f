/** @file How fast this machine computes a model's products, and the rest of it. */
import type { Rates } from "../../distributed/index.ts";
import { UnsupportedError } from "../../errors.ts";
import type { Model } from "../../ir/index.ts";
import { profileNodes } from "../../measure/index.ts";
import { costOf } from "../../ops/index.ts";
import { type Feeds, openSession } from "../../runtime/index.ts";

/** The rates of one thread of the CPU provider: work by the times of a profile. What a node takes beside its work is in them. */
export async function measuredRates(model: Model, feeds: Feeds): Promise<Rates> {
  const dims = new Map([...feeds].map(([name, { dims }]) => [name, dims] as const));
  const cost = costOf(model, { feeds: dims });
  const products = new Set(cost.byNode.flatMap(({ macs, opType }) => (macs ? [opType] : [])));
  const rows = await profileNodes(openSession, model, feeds, { ep: "cpu", threads: 1 });
  let [product, other] = [0, 0];
  for (const { opType, micros, calls } of rows) {
    if (products.has(opType) || opType.startsWith("Fused")) product += micros / Math.max(1, calls);
    else other += micros / Math.max(1, calls);
  }
  if (product <= 0 || cost.macs <= 0) {
    throw new UnsupportedError("the rates of this machine cannot be measured on a model without products", {
      hint: "State them in the file of the cluster.",
    });
  }
  return {
    gigaMacsPerSecond: cost.macs / product / 1e3,
    gigaElementsPerSecond: Math.max(1, cost.elementwise) / Math.max(1, other) / 1e3,
    microsecondsPerNode: 0,
  };
}

/** @file What the forms of an acceleration are built from: a small network, the reference evaluator, and what they tell of themselves. */
import type { CandidateContext } from "../src/accelerate/candidates.ts";
import { graphBuilder, type Model, model, tensor } from "../src/ir/index.ts";
import { noise } from "./models.ts";
import { denseBatches, openTaking } from "./small-job.ts";

/** Two products with constant weights, named first and second. */
export function twoLayers(): Model {
  const g = graphBuilder();
  const first = g.constant("w1", tensor("float32", [4, 8], noise(32, 3)));
  const second = g.constant("w2", tensor("float32", [8, 3], noise(24, 4)));
  const hidden = g.op("Relu", [g.op("MatMul", [g.input("x", "float32", ["batch", 4]), first], {}, { name: "first" })]);
  g.output(g.op("MatMul", [hidden, second], {}, { name: "second" }), "y");
  return model(g.build());
}

export type Told = Parameters<CandidateContext["progress"]>;

export interface SmallContext {
  readonly context: CandidateContext;
  readonly told: Told[];
}

export function smallContext(others: Partial<CandidateContext> = {}): SmallContext {
  const told: Told[] = [];
  const context: CandidateContext = {
    model: twoLayers(),
    ...{ ep: "cpu", threads: 1, seed: 1, weightBits: 8 },
    open: openTaking(() => 1),
    async *calibration() {
      for await (const { feeds } of denseBatches(20)()) yield feeds;
    },
    signal: new AbortController().signal,
    progress: (...given) => void told.push(given),
    ...others,
  };
  return { context, told };
}

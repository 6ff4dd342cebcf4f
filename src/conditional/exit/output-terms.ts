/** @file The loss of a run over further outputs of the model. */
import { nth } from "../../checked.ts";
import { UsageError } from "../../errors.ts";
import { type Loss, type LossName, type LossTerm, losses } from "../../train/index.ts";

/** A term per output against the labels of the loss; the weights default to 1. */
export function outputTerms(
  outputs: readonly string[],
  loss: Loss | LossName,
  weights: readonly number[] = outputs.map(() => 1),
): LossTerm[] {
  if (weights.length !== outputs.length || !weights.every((weight) => weight >= 0 && Number.isFinite(weight))) {
    throw new UsageError("the weights do not fit the outputs", {
      expected: `${outputs.length} numbers of at least 0`,
      got: weights.join(", "),
    });
  }
  const built = typeof loss === "string" ? losses[loss]() : loss;
  return outputs.map((name, i) => ({
    name,
    weight: nth(weights, i),
    build: (g, context) => built.build(g, context.output(name), context.labels()),
  }));
}

/** @file Losses over classes, as log-probabilities that are picked by the labels. */
import { intOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type Expansion, expand, type GradientEntry } from "../rule.ts";

/** Classes stand on axis 1; the second output is the log-probabilities. */
const crossEntropy: Expansion = (g, node) => {
  const [scores, labels, weights] = node.inputs;
  if (!scores || !labels) return [];
  const logs = g.op("LogSoftmax", [scores], { axis: 1 });
  return [pickedLoss(g, node, logs, labels, weights), logs];
};

const negativeLogLikelihood: Expansion = (g, node) => {
  const [logs, labels, weights] = node.inputs;
  return logs && labels ? [pickedLoss(g, node, logs, labels, weights)] : [];
};

/** −w·log p of each label; labels equal to `ignore_index` weigh nothing. The mean is over the weights. */
function pickedLoss(g: GradientBuilder, node: Node, logs: Value, labels: Value, weights: Value | undefined): Value {
  const ignored = intOf(node, "ignore_index");
  const isIgnored = ignored === undefined ? undefined : g.equal(labels, ignored);
  const classes = isIgnored ? g.where(isIgnored, 0, labels) : labels;
  const picked = g.op("GatherElements", [logs, g.unsqueeze(classes, [1])], { axis: 1 });
  const loss = g.neg(g.squeeze(picked, [1]));
  const counted = isIgnored && g.mask(g.not(isIgnored), logs);
  const perClass = weights && g.gather(weights, classes, 0);
  const factor = perClass && counted ? g.mul(perClass, counted) : (perClass ?? counted);
  return reduced(g, stringOf(node, "reduction", "mean"), loss, factor);
}

function reduced(g: GradientBuilder, reduction: string, loss: Value, factor: Value | undefined): Value {
  const weighted = factor ? g.mul(loss, factor) : loss;
  const axes = g.dims(loss).map((_, axis) => axis);
  if (reduction === "none") return weighted;
  if (reduction === "sum") return g.sum(weighted, axes);
  return factor ? g.div(g.sum(weighted, axes), g.sum(factor, axes)) : g.mean(loss, axes);
}

export const losses = {
  SoftmaxCrossEntropyLoss: expand(crossEntropy),
  NegativeLogLikelihoodLoss: expand(negativeLogLikelihood),
} satisfies Record<string, GradientEntry>;

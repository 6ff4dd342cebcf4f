/** @file Losses, and the optimizer steps of ai.onnx.preview.training. */
import { stringOf } from "../ir/index.ts";
import { end, mixed, opaqueAxes, reduced, same } from "./axes.ts";
import { costPerInput, unknownCost } from "./cost.ts";
import { asTensor, dimsOf, dtypeOf, typed } from "./dims.ts";
import type { AxisRule, InferRule, OpSpec } from "./spec.ts";

function reducesAll(node: { readonly node: Parameters<typeof stringOf>[0] }): boolean {
  return stringOf(node.node, "reduction", "mean") !== "none";
}

/** A scalar, or one loss per label; then, of the softmax form, the log probabilities. */
const inferLoss: InferRule = (context) => [
  typed(dtypeOf(context, 0), reducesAll(context) ? [] : dimsOf(context, 1)),
  asTensor(context.input(0)),
];

/** Scores `[N, C, …]`, labels `[N, …]`, weights `[C]`. */
const lossAxes: AxisRule = (node) => {
  const scores = dimsOf(node, 0);
  if (!scores) return undefined;
  const logs = node.node.outputs[1] !== undefined;
  return scores.map((_, axis) => {
    const place = axis === 0 ? 0 : axis - 1;
    const inputs =
      axis === 1 ? [end(0, 1), ...(node.node.inputs[2] ? [end(2, 0)] : [])] : [end(0, axis), end(1, place)];
    const kept = axis !== 1 && !reducesAll(node) ? [end(0, place)] : [];
    const outputs = [...kept, ...(logs ? [end(1, axis)] : [])];
    if (outputs.length === 0) return reduced(inputs);
    return axis === 1 ? mixed(inputs, outputs) : same(inputs, outputs);
  });
};

const loss = (since: readonly number[]): OpSpec => ({
  since,
  infer: inferLoss,
  axes: lossAxes,
  cost: costPerInput,
  exactness: "rounding",
});

/** Inputs: rate, step, then groups of equal size, tensors first and gradients second; outputs: the groups but the gradients. */
function optimizer(groups: number): OpSpec {
  return {
    since: [1],
    infer: (context) => {
      const size = (context.node.inputs.length - 2) / groups;
      return context.node.outputs.map((_, i) => asTensor(context.input(2 + (i % size))));
    },
    axes: opaqueAxes,
    cost: unknownCost,
    exactness: "rounding",
  };
}

export const lossOps = {
  NegativeLogLikelihoodLoss: loss([12, 13, 22]),
  SoftmaxCrossEntropyLoss: loss([12, 13]),
  "ai.onnx.preview.training::Adagrad": optimizer(3),
  "ai.onnx.preview.training::Adam": optimizer(4),
  "ai.onnx.preview.training::Momentum": optimizer(3),
  "ai.onnx.preview.training::Gradient": {
    since: [1],
    infer: (context) => context.node.outputs.map((_, i) => asTensor(context.input(i))),
    axes: opaqueAxes,
    cost: unknownCost,
    exactness: "rounding",
  },
} satisfies Record<string, OpSpec>;

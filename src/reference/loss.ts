/** @file Losses over class axes. */
import { nth } from "../checked.ts";
import { intOf, sizeOf, stringOf } from "../ir/index.ts";
import { type Dense, dense, numbers } from "./dense.ts";
import { type Call, inputOf, type Kernels, optionalInput } from "./kernel.ts";
import { total } from "./reduce.ts";
import { alongAxis, logSoftmaxLine } from "./softmax.ts";

/** −w[t]·x[n, t, …] for each target t; the mean divides by the sum of the weights. Ignored targets count nothing. */
function negativeLogLikelihood(call: Call, scores: Dense, target: Dense, weight: Dense | undefined): Dense {
  const classes = nth(scores.dims, 1);
  const inner = sizeOf(scores.dims.slice(2));
  const ignored = intOf(call.node, "ignore_index");
  const [values, weights] = [numbers(scores), weight && numbers(weight)];
  const kept = numbers(target).map((t) => (t === ignored ? 0 : (weights?.[t] ?? 1)));
  const losses = numbers(target).map((t, i) => {
    const at = (Math.floor(i / inner) * classes + t) * inner + (i % inner);
    return kept[i] === 0 ? 0 : -kept[i]! * values[at]!;
  });
  const reduction = stringOf(call.node, "reduction", "mean");
  if (reduction === "none") return dense(scores.dtype, target.dims, losses);
  return dense(scores.dtype, [], [total(losses) / (reduction === "mean" ? total(kept) : 1)]);
}

/** The negative log likelihood of log softmax; the log probabilities are the second output. */
function softmaxCrossEntropy(call: Call): Dense[] {
  const logProbabilities = alongAxis(inputOf(call, 0), 1, logSoftmaxLine);
  const loss = negativeLogLikelihood(call, logProbabilities, inputOf(call, 1), optionalInput(call, 2));
  return [loss, logProbabilities];
}

export const losses = {
  NegativeLogLikelihoodLoss: (call) =>
    negativeLogLikelihood(call, inputOf(call, 0), inputOf(call, 1), optionalInput(call, 2)),
  SoftmaxCrossEntropyLoss: softmaxCrossEntropy,
} satisfies Kernels;

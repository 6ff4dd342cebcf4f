/** @file Cross-entropy of logits and class indices, as torch.nn.CrossEntropyLoss. */
import { UsageError } from "../../errors.ts";
import { type DataType, tensorFromNumbers, type Value } from "../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import { member, number, numbers } from "../../settings/index.ts";
import { dimsOf, dtypeOf, type StepBuilder } from "../step/step-builder.ts";
import { checkSetting, classAxis, classIndices, type Loss, pick } from "./loss.ts";

export interface CrossEntropyOptions {
  /** ε: the target is 1 − ε on the label plus ε/K on every class. Szegedy et al. (2015), arXiv:1512.00567. */
  readonly smoothing?: number;
  /** The weight of each class; the mean is over the weights. */
  readonly weights?: readonly number[];
  /** Labels of this value count for nothing. */
  readonly ignoreIndex?: number;
  /** Where the classes stand: 1 (default) as in images, −1 for sequences of tokens [batch, time, classes]. */
  readonly axis?: number;
}

const crossEntropyOptionsNames: OptionNames<CrossEntropyOptions> = {
  smoothing: true,
  weights: true,
  ignoreIndex: true,
  axis: true,
};

/** −Σ w·log p[label] / Σ w, with log p = log-softmax of the prediction. NaN when every label is ignored. */
export function crossEntropy(options: CrossEntropyOptions = {}): Loss {
  checkOptions(options, crossEntropyOptionsNames);
  const { smoothing = 0, weights, axis = 1 } = options;
  checkSetting("smoothing", smoothing, smoothing >= 0 && smoothing <= 1, "0 to 1");
  return {
    name: "crossEntropy",
    ...classIndices(axis),
    ignoreIndex: options.ignoreIndex,
    build(g, prediction, labels) {
      const { place, classes } = classAxis(prediction, axis);
      checkWeights(weights, classes);
      const logs = g.op("LogSoftmax", [prediction], { axis: place });
      const target = targets(g, labels, options, dtypeOf(prediction));
      const hard = weighted(g, pick(g, logs, target.labels, place), target.factor);
      if (smoothing === 0) return mean(g, hard, target.factor);
      const spread = weights ? g.mul(logs, perClass(g, logs, weights, place)) : logs;
      const soft = weighted(g, g.sum(spread, [place]), target.counted);
      const mixed = g.add(g.mul(hard, 1 - smoothing), g.mul(soft, smoothing / classes));
      return mean(g, mixed, target.factor);
    },
  };
}

interface Targets {
  /** The labels, 0 where they are ignored. */
  readonly labels: Value;
  /** 1 for each label that counts, else 0; absent when all do. */
  readonly counted: Value | undefined;
  /** The weight of each label; absent when all are 1. */
  readonly factor: Value | undefined;
}

function targets(
  g: StepBuilder,
  labels: Value,
  { weights, ignoreIndex }: Pick<CrossEntropyOptions, "weights" | "ignoreIndex">,
  dtype: DataType,
): Targets {
  const isIgnored = ignoreIndex === undefined ? undefined : g.equal(labels, g.number(ignoreIndex, "int64"));
  const safe = isIgnored ? g.where(isIgnored, g.number(0, "int64"), labels) : labels;
  const counted = isIgnored && g.mask(g.not(isIgnored), dtype);
  if (!weights) return { labels: safe, counted, factor: counted };
  const table = g.constant("class_weights", tensorFromNumbers(dtype, [weights.length], weights));
  const weight = g.gather(table, safe, 0);
  return { labels: safe, counted, factor: counted ? g.mul(weight, counted) : weight };
}

function perClass(g: StepBuilder, logs: Value, weights: readonly number[], place: number): Value {
  const after = dimsOf(logs).length - place - 1;
  const dims = [weights.length, ...new Array<number>(after).fill(1)];
  return g.constant("class_weights", tensorFromNumbers(dtypeOf(logs), dims, weights));
}

function weighted(g: StepBuilder, x: Value, factor: Value | undefined): Value {
  return factor ? g.mul(x, factor) : x;
}

/** −Σ x / Σ factor. */
function mean(g: StepBuilder, x: Value, factor: Value | undefined): Value {
  return g.neg(factor ? g.div(g.sum(x), g.sum(factor)) : g.mean(x));
}

function checkWeights(weights: readonly number[] | undefined, classes: number): void {
  if (!weights || weights.length === classes) return;
  throw new UsageError("there is not one weight per class", { expected: `${classes}`, got: `${weights.length}` });
}

member(crossEntropy, { smoothing: number(), weights: numbers(), ignoreIndex: number(), axis: number() });

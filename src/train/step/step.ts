/** @file What a training step is made of: its options, and the names of the graph that comes out. */
import type { Forms } from "../../autodiff/index.ts";
import type { LabelDomain, Model, Node, Tensor } from "../../ir/index.ts";
import type { OptionNames } from "../../options.ts";
import type { Optimizer, OptimizerName } from "../optimizers/index.ts";
import type { Carry } from "./carry.ts";
import type { LossScaleOptions } from "./loss-scale.ts";
import type { ObjectiveOptions } from "./objective.ts";
import type { Precision } from "./precision.ts";
import type { Profile, ProfileName } from "./profiles.ts";
import type { Selection } from "./selection.ts";

export interface TrainingStepOptions extends ObjectiveOptions {
  readonly optimizer: Optimizer | OptimizerName;
  /** What is trained: all float initializers of rank 1 and more unless named. The rest stays frozen in the model. */
  readonly trainable?: Selection;
  /** What is not trained of it. */
  readonly freeze?: Selection;
  /** What weight decay leaves alone: biases and norms unless named. `[]` lets all decay, as PyTorch does. */
  readonly decayExclude?: Selection;
  /** The largest norm of all gradients together; longer ones are scaled down. */
  readonly clip?: number;
  /** Batches whose gradients are averaged before one update. */
  readonly accumulate?: number;
  /** d of the running average of every parameter, average ← d·average + (1 − d)·parameter. */
  readonly average?: number;
  /** Multiplies the loss before differentiation, skips updates that overflow, and adapts the factor. */
  readonly lossScale?: LossScaleOptions;
  /** `train` (default): statistics of the batch, and running ones as PyTorch keeps them. `frozen`: the model's own. */
  readonly batchNorm?: "train" | "frozen";
  /** `train` (default): Dropout drops. `off`: it does nothing. */
  readonly dropout?: "train" | "off";
  /** Nodes that keep their inference form whatever `batchNorm` and `dropout` say: those of a part that is not trained. */
  readonly inference?: (node: Node) => boolean;
  /** Initializers that take the value of an output after each batch: biases that balance, centres that move. */
  readonly carry?: Carry;
  /** How the graph is written: `native` (default here) for CPU providers, `portable` for WebGPU, or one of one's own. */
  readonly profile?: Profile | ProfileName;
  /**
   * The dtype of the network's products and sums, forwards and backwards. The master parameters, the optimizer, the loss and
   * operators that need the range stay float32: Micikevicius et al. (2017), arXiv:1710.03740. `float16` wants `lossScale`.
   */
  readonly precision?: Precision;
  /**
   * A bool tensor for each initializer that is to stay sparse, by its name: where it is false, the parameter and its average become 0 in every
   * update, and the gradient counts as 0, also in the norm that `clip` bounds. What the optimizer keeps is left to itself: it sees no gradient there.
   */
  readonly masks?: ReadonlyMap<string, Tensor>;
  /** Names of values of the model through which no gradient flows. */
  readonly stopAt?: readonly string[];
  /** What the gradient of an initializer is multiplied with, by its name: a tensor of its form. Before accumulation, norms and the optimizer. */
  readonly gradientFactors?: ReadonlyMap<string, Tensor>;
  /** Forms of gradients that differ in speed; the profile's by default. */
  readonly forms?: Forms;
}

export const trainingStepOptionsNames: OptionNames<TrainingStepOptions> = {
  optimizer: true,
  trainable: true,
  freeze: true,
  decayExclude: true,
  clip: true,
  accumulate: true,
  average: true,
  lossScale: true,
  batchNorm: true,
  dropout: true,
  inference: true,
  carry: true,
  profile: true,
  precision: true,
  masks: true,
  stopAt: true,
  gradientFactors: true,
  forms: true,
  loss: true,
  terms: true,
  output: true,
};

export type StateKind = "parameter" | "optimizer" | "statistic" | "average" | "accumulator" | "mask" | "loss-scale";

/** A tensor that goes into every step and comes out changed. */
export interface StateTensor {
  /** The input; `output` is the name of the value that becomes the next input. */
  readonly name: string;
  readonly output: string;
  readonly kind: StateKind;
  /** The initializer of the model that it belongs to; absent for the loss scale. */
  readonly of?: string;
  readonly initial: Tensor;
}

/** What computes a loss takes beside parameters and statistics, and what it tells. */
export interface LossNames {
  /** The model's own inputs. */
  readonly batch: readonly string[];
  readonly labels?: string;
  /** Which labels the loss takes. */
  readonly labelDomain?: LabelDomain;
  /** uint32[2]: any two words that differ from batch to batch. Only with dropout. */
  readonly maskKey?: string;
  /** The sum that is minimised. */
  readonly loss: string;
  /** The outputs that tell the terms, without their weights. */
  readonly terms: readonly { readonly name: string; readonly output: string }[];
  /** The model's outputs; metrics read `prediction`. */
  readonly outputs: readonly string[];
  readonly prediction: string;
}

/** What an update takes beside gradients and state, and what it tells. */
export interface UpdateNames {
  /** float32, already scheduled. */
  readonly learningRate: string;
  /** int64, the number of the update, counted from 1. */
  readonly step: string;
  /** bool: whether this batch ends with the update. Only with accumulation. */
  readonly apply?: string;
  readonly accumulate: number;
  /** The norm of all gradients together before clipping, where it is needed. */
  readonly gradientNorm?: string;
}

/**
 * The names of a step graph. Its inputs are the batch with its labels, the learning rate, the number of the update, the mask key and
 * `apply`, then the state. Its outputs are the loss, the model's own outputs, the terms, the norm of the gradients, then the next state.
 */
export interface TrainingStep extends LossNames, UpdateNames {
  /** Opset 21. Parameters and state are plain inputs, never initializers. */
  readonly model: Model;
  readonly state: readonly StateTensor[];
}

/** The scalars that every step tells: the loss, its terms, the norm of the gradients. */
export function toldBy({ loss, terms, gradientNorm }: TrainingStep): string[] {
  return [loss, ...terms.map(({ output }) => output), ...(gradientNorm === undefined ? [] : [gradientNorm])];
}

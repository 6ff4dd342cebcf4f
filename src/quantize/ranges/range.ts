/** @file What a learned range is: how the scale of a quantized value moves while the network is trained. */
import type { Tensor, Value } from "../../ir/index.ts";
import type { StepBuilder } from "../../train/index.ts";
import type { Limits } from "../scheme.ts";

/** Values that share one scale, and what is known of them before training. */
export interface RangeSite {
  /** Of the scale; names of what is added begin with it. */
  readonly name: string;
  readonly role: "weight" | "activation";
  /** The integers that are used. */
  readonly limits: Limits;
  /** As calibrated: a scalar, or one number for each channel. */
  readonly scale: Tensor;
  /** As calibrated; 0 of weights. */
  readonly zeroPoint: number;
  /** What is quantized. */
  readonly sources: readonly [Value, ...Value[]];
  /** The reals of weights. */
  readonly weight?: Tensor;
  /** The axis of channels where each has a scale. */
  readonly axis?: number;
  /** How many numbers share a scale: weights, or features of one sample; lengths that vary count as 1. */
  readonly count: number;
}

/** A tensor that is trained beside the weights. */
export interface RangeParameter {
  readonly value: Value;
  /** What its gradient is multiplied with, of its own form. */
  readonly factor: Tensor;
}

/** A statistic that moves after each batch. */
export interface RangeStatistic {
  readonly value: Value;
  /** Its next value, written behind everything that is quantized. */
  next(g: StepBuilder): Value;
}

/** The range in a step graph. */
export interface LearningRange {
  /** Positive, of the form of the calibrated scale. No gradient goes through it where `isFixed`. */
  readonly scale: Value;
  readonly isFixed: boolean;
  /** A whole number as a float; the calibrated one when absent. */
  readonly zeroPoint?: Value;
  /** The end of the range, a scalar, for a clip of its own: values are kept to it before they are rounded. */
  readonly end?: Value;
  readonly parameters: readonly RangeParameter[];
  readonly statistics: readonly RangeStatistic[];
  /** A scalar that is added to the loss. */
  readonly penalty?: Value;
}

/** A way for ranges to move in training. */
export interface LearnedRange {
  readonly name: string;
  /** Decides with the name how the ranges move. */
  readonly settings: Readonly<Record<string, number>>;
  /** Emits the scale in front of the network. */
  learn(g: StepBuilder, site: RangeSite): LearningRange;
}

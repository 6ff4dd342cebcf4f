/** @file What a training run tells while it goes on, and in the end. */
import type { Model } from "../../ir/index.ts";
import type { MissedEvents } from "../../runtime/index.ts";

export interface Evaluation {
  /** Epochs that were finished before it, counted from 1. */
  readonly epoch: number;
  readonly update: number;
  /** By name; `loss` is always there. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** Numbers that a probe has found: one is a point of a curve over the run, more are a column of a heat map. */
export interface Measurement {
  /** What was measured, such as the path of a layer. */
  readonly subject: string;
  /** What about it; the same at every evaluation. */
  readonly name: string;
  readonly values: readonly number[];
  /** What each of several values belongs to: `expert`. */
  readonly row?: string;
}

export type TrainEvent =
  | MissedEvents
  | {
      readonly type: "start";
      /** Trained numbers. */
      readonly parameters: number;
      readonly updates: number;
      readonly epochs: number;
      /** Batches that an earlier run had done already. */
      readonly resumedFrom: number;
    }
  | {
      readonly type: "step";
      /** Batches so far, this one included, and those of the whole run. */
      readonly step: number;
      readonly steps: number;
      /** Updates so far. */
      readonly update: number;
      /** Counted from 1. */
      readonly epoch: number;
      readonly loss: number;
      /** The terms of the loss without their weights, where there are any. */
      readonly terms?: Readonly<Record<string, number>>;
      readonly learningRate: number;
      readonly gradientNorm?: number;
      readonly samplesPerSecond: number;
      readonly etaMs: number;
    }
  | ({ readonly type: "evaluation"; readonly isBest: boolean } & Evaluation)
  | {
      /** Follows the evaluation at which a probe has looked at the model. */
      readonly type: "measurement";
      readonly probe: string;
      readonly epoch: number;
      readonly update: number;
      readonly measurements: readonly Measurement[];
    }
  | { readonly type: "checkpoint"; readonly step: number; readonly path: string }
  | { readonly type: "early-stop"; readonly epoch: number; readonly reason: string };

export interface TrainReport {
  readonly parameters: number;
  readonly steps: number;
  readonly updates: number;
  readonly epochs: number;
  readonly samples: number;
  readonly seed: number;
  /** Of this run alone, without those before a resumed checkpoint. */
  readonly seconds: number;
  /** The mean loss of the training batches of the last epoch of this run. */
  readonly loss: number;
  readonly evaluations: readonly Evaluation[];
  /** The best evaluation, and the metric that decided. */
  readonly best?: Evaluation & { readonly monitor: string };
  readonly stoppedEarly: boolean;
}

export interface TrainResult {
  /** The model with the trained parameters: running averages where they are kept; those of the best evaluation when asked for. */
  readonly model: Model;
  readonly report: TrainReport;
}

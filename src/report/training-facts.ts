/** @file The facts of a training run, as they stand in `report.json` and as the HTML page shows them. */
import type { ReportHeader } from "./facts.ts";

/** The loss and the learning rate of one batch. */
export interface CurvePoint {
  /** Batches so far. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
}

export interface EvaluationFacts {
  readonly epoch: number;
  /** Batches before it. */
  readonly step: number;
  /** `loss` and the metrics by name. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly isBest: boolean;
}

/** What a probe measured at one evaluation. */
export interface MeasurementFacts {
  readonly epoch: number;
  readonly probe: string;
  readonly measurements: readonly {
    readonly subject: string;
    readonly name: string;
    /** One number, or one for each row of a heat map. */
    readonly values: readonly number[];
    readonly row?: string | undefined;
  }[];
}

/** What a model comes to on the samples that are held out. */
export interface ComparedFacts {
  /** The teacher, the student before and after, or a stage between. */
  readonly name: string;
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a training came to. */
export interface TrainingFacts {
  readonly trained: number;
  readonly steps: number;
  readonly updates: number;
  readonly epochs: number;
  readonly seconds: number;
  readonly stoppedEarly: boolean;
  /** The metric that decides which evaluation is best. */
  readonly monitor: string;
  readonly curve: readonly CurvePoint[];
  readonly evaluations: readonly EvaluationFacts[];
  /** In the order of the evaluations. */
  readonly measured?: readonly MeasurementFacts[];
}

/** Its `model` is the one that was trained. */
export interface TrainingReport extends ReportHeader, TrainingFacts {
  readonly kind: "training";
  readonly data: { readonly source: string; readonly training: number; readonly validation: number };
  /** How it was trained, as names and values to print. */
  readonly settings: readonly { readonly name: string; readonly value: string }[];
  /** Whether the model is that of the best evaluation instead of the last one. */
  readonly restoredBest: boolean;
  /** Of a distillation. */
  readonly compared?: readonly ComparedFacts[];
  readonly notes: readonly string[];
}

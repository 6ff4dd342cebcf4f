/** @file What a quantizer says about its work. */
import type { Range } from "./scheme.ts";

export type Form = "static" | "dynamic" | "weight-only" | "float16" | "levels";

/** One node of the original model. */
export interface LayerReport {
  readonly node: string;
  readonly opType: string;
  readonly quantized: boolean;
  /** Why it stays in floats, or why a part of what was asked for was not done. */
  readonly reason?: string;
  /** Of the weights. */
  readonly bits?: number;
  readonly granularity?: string;
  readonly rounding?: string;
  /** Smallest and largest scale of the weights. */
  readonly weightScale?: Range;
  readonly outputScale?: number;
}

export interface QuantizeReport {
  readonly form: Form;
  readonly layers: readonly LayerReport[];
  /** Ranges of the quantized activations, by name. */
  readonly ranges?: ReadonlyMap<string, Range>;
  readonly calibrationBatches?: number;
}

export interface Quantized<Model> {
  readonly model: Model;
  readonly report: QuantizeReport;
}

/** Something that a long quantization says while it works. */
export type QuantizeEvent =
  | { readonly type: "calibrate"; readonly batch: number }
  | { readonly type: "moments"; readonly batch: number; readonly layers: number }
  | { readonly type: "round"; readonly node: string; readonly done: number; readonly total: number }
  | { readonly type: "sensitivity"; readonly node: string; readonly done: number; readonly total: number };

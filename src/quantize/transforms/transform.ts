/** @file Changes of a float model that leave its function and make it easier to quantize. */
import type { CaptureOptions } from "../../calibration/index.ts";
import type { Model } from "../../ir/index.ts";
import type { NodeChoice } from "../selection.ts";

/** What became of one place of the model. */
export interface TransformNote {
  /** A node by name. */
  readonly node: string;
  readonly done: boolean;
  /** What was done, or why nothing. */
  readonly what: string;
}

export interface Transformed {
  readonly model: Model;
  readonly notes: readonly TransformNote[];
}

/** How a transform sees data. */
export interface ObserveOptions extends NodeChoice {
  readonly open: CaptureOptions["open"];
  readonly calibration: CaptureOptions["batches"];
  readonly threads?: number;
  readonly signal?: AbortSignal;
}

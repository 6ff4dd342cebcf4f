/** @file Changes before quantization, by name. */
import type { Model } from "../../ir/index.ts";
import { type AwqOptions, awq } from "./awq.ts";
import { type RotateOptions, rotateResidual } from "./rotate.ts";
import { type SmoothQuantOptions, smoothQuant } from "./smooth-quant.ts";
import type { Transformed } from "./transform.ts";

export interface TransformOptions {
  readonly smoothquant: SmoothQuantOptions;
  readonly awq: AwqOptions;
  readonly hadamard: RotateOptions;
}

export type TransformName = keyof TransformOptions;

export const transforms = {
  smoothquant: smoothQuant,
  awq,
  hadamard: rotateResidual,
} as const satisfies {
  readonly [T in TransformName]: (model: Model, options: TransformOptions[T]) => Transformed | Promise<Transformed>;
};

export { type AwqOptions, awq } from "./awq.ts";
export { type OutlierOptions, outlierNodes, separateOutliers } from "./outliers.ts";
export { type RotateOptions, rotateResidual } from "./rotate.ts";
export { type SmoothQuantOptions, smoothQuant } from "./smooth-quant.ts";
export type { ObserveOptions, Transformed, TransformNote } from "./transform.ts";

/** @file All forms by name. */
import type { Model } from "../../ir/index.ts";
import type { Form, Quantized } from "../report.ts";
import { type DynamicOptions, quantizeDynamic } from "./dynamic.ts";
import { type Float16FormOptions, quantizeFloat16 } from "./float16.ts";
import { type LevelsOptions, quantizeLevels } from "./levels.ts";
import { quantizeStatic } from "./static.ts";
import type { StaticOptions } from "./static-options.ts";
import { quantizeWeights, type WeightOnlyOptions } from "./weight-only.ts";

export interface FormOptions {
  readonly static: StaticOptions;
  readonly dynamic: DynamicOptions;
  readonly "weight-only": WeightOnlyOptions;
  readonly float16: Float16FormOptions;
  readonly levels: LevelsOptions;
}

type Quantizer<Options> = (model: Model, options: Options) => Quantized<Model> | Promise<Quantized<Model>>;

export const quantizers = {
  static: quantizeStatic,
  dynamic: quantizeDynamic,
  "weight-only": quantizeWeights,
  float16: quantizeFloat16,
  levels: quantizeLevels,
} as const satisfies { readonly [F in Form]: Quantizer<FormOptions[F]> };

/** The options of one form, with its name. */
export type QuantizeOptions = { [F in Form]: { readonly form: F } & FormOptions[F] }[Form];

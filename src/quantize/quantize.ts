/** @file One entry for all forms. */
import { UsageError } from "../errors.ts";
import type { Model } from "../ir/index.ts";
import { type QuantizeOptions, quantizers } from "./quantizers/index.ts";
import type { Quantized } from "./report.ts";

/**
 * Quantizes a float model; the result computes approximately the same on the same inputs.
 *
 * @throws UsageError for an unknown form, and what the quantizer of the form throws.
 */
export async function quantize(model: Model, options: QuantizeOptions): Promise<Quantized<Model>> {
  switch (options.form) {
    case "static":
      return quantizers.static(model, withoutForm(options));
    case "dynamic":
      return quantizers.dynamic(model, withoutForm(options));
    case "weight-only":
      return quantizers["weight-only"](model, withoutForm(options));
    case "float16":
      return quantizers.float16(model, withoutForm(options));
    case "levels":
      return quantizers.levels(model, withoutForm(options));
    default:
      throw new UsageError("there is no such form", {
        expected: Object.keys(quantizers).join(", "),
        got: JSON.stringify((options as { form?: unknown }).form),
      });
  }
}

function withoutForm<T extends QuantizeOptions>({ form: _, ...rest }: T): Omit<T, "form"> {
  return rest;
}

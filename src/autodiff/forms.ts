/** @file Choices among forms of gradients that are equal in value and differ in speed. */
import type { ConvChoice } from "./conv/choice.ts";
import type { PoolChoice } from "./pool/choice.ts";

export interface Forms {
  readonly conv: ConvChoice;
  readonly pool: PoolChoice;
  /** Sums over all axes but the last, as bias gradients are: a reduction, or a product with a row of ones. */
  readonly rowSum: "reduction" | "product";
  /**
   * Products over all rows of a batch of matrices, as gradients of weights are: with the narrower operand transposed
   * before, or with a transpose that ONNX Runtime fuses into the product, whose kernel then transposes block by block.
   */
  readonly weightProduct: "transposed" | "fused";
}

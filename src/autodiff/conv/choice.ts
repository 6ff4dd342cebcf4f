/** @file Names of the forms of a convolution's gradients, and preferences among them. */
import type { ConvGeometry } from "./geometry.ts";

export type InputForm = "transposed" | "flipped" | "matmul";
export type WeightForm = "convolution" | "slices" | "columns" | "crossed" | "gemm" | "matmul";

/** Preferences for a geometry, best first; a form that does not apply is passed over. */
export interface ConvChoice {
  input(geometry: ConvGeometry): readonly InputForm[];
  weight(geometry: ConvGeometry): readonly WeightForm[];
}

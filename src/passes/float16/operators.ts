/** @file What in the operators keeps float32 when a model goes to float16. */
import { intOf, type Node, qualifiedName } from "../../ir/index.ts";

/**
 * Operators that stay in float32: those without float16 kernels or with too little range in them, those that choose their dtype by
 * an attribute, and quantization, whose scales must keep their precision.
 */
export const float32Operators: ReadonlySet<string> = new Set([
  ...["BlackmanWindow", "CumSum", "DFT", "DequantizeLinear", "DynamicQuantizeLinear", "EyeLike", "HammingWindow"],
  ...["HannWindow", "Max", "MelWeightMatrix", "Min", "NonMaxSuppression", "QLinearConv", "QLinearMatMul"],
  ...["QuantizeLinear", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli"],
  ...["Range", "RoiAlign", "STFT", "TfIdfVectorizer", "TopK", "Upsample"],
]);

/** Inputs that are float32 by definition, by operator. */
const float32Inputs = {
  Resize: [1, 2],
} as const satisfies Record<string, readonly number[]>;

/** Outputs that are float32 by definition: statistics that are kept in higher precision. */
const float32Outputs = {
  LayerNormalization: [1, 2],
} as const satisfies Record<string, readonly number[]>;

const inputs = new Map<string, readonly number[]>(Object.entries(float32Inputs));
const outputs = new Map<string, readonly number[]>(Object.entries(float32Outputs));

export function keepsInput(node: Node, input: number): boolean {
  return inputs.get(qualifiedName(node))?.includes(input) ?? false;
}

export function keepsOutput(node: Node, output: number): boolean {
  if (intOf(node, "stash_type", 1) !== 1) return false;
  return outputs.get(qualifiedName(node))?.includes(output) ?? false;
}

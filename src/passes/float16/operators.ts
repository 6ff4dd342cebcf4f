/** @file What in the operators keeps float32 when a model goes to float16. */
import { type Node, stringOf } from "../../ir/index.ts";

/**
 * Operators that stay in float32: those without float16 kernels or with too little range in them, those that choose their dtype by
 * an attribute, and quantization, whose scales must keep their precision.
 */
export const float32Operators: ReadonlySet<string> = new Set([
  ...[
    "BitCast",
    "BlackmanWindow",
    "CumSum",
    "DFT",
    "DequantizeLinear",
    "DynamicQuantizeLinear",
    "EyeLike",
    "HammingWindow",
  ],
  ...[
    "HannWindow",
    "Max",
    "MeanVarianceNormalization",
    "MelWeightMatrix",
    "Min",
    "NonMaxSuppression",
    "QLinearConv",
    "QLinearMatMul",
  ],
  ...["QuantizeLinear", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli"],
  ...["Range", "RoiAlign", "STFT", "TfIdfVectorizer", "TopK", "Upsample"],
]);

/** Why ONNX Runtime computes this node in no float16, although the definition allows it: `scripts/float16-kernels.ts` tries them all. */
export function lacksKernel(node: Node): string | undefined {
  const scatters = node.opType === "ScatterElements" || node.opType === "ScatterND";
  if (scatters && stringOf(node, "reduction", "none") !== "none")
    return "the runtime reduces no float16 when it scatters";
  return undefined;
}

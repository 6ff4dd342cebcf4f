/** @file What in the operators keeps float32 when a model goes to float16. */
import { intOf, type Node, stringOf } from "../../ir/index.ts";

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

/**
 * Why ONNX Runtime computes this node in no float16, although the definition allows it, or older versions compute it wrongly:
 * `scripts/float16-kernels.ts` tries all operators, `npm run compat` the versions.
 */
export function lacksKernel(node: Node): string | undefined {
  const scatters = node.opType === "ScatterElements" || node.opType === "ScatterND";
  if (scatters && stringOf(node, "reduction", "none") !== "none")
    return "the runtime reduces no float16 when it scatters";
  return node.opType === "Attention" && node.domain === "" ? attentionLacks(node) : undefined;
}

/** Heads are attributes where the inputs have three axes; with four, older runtimes are right. */
function attentionLacks(node: Node): string | undefined {
  if (intOf(node, "q_num_heads") !== intOf(node, "kv_num_heads"))
    return "ONNX Runtime before 1.25 computes queries that share keys wrongly in float16";
  if (node.outputs[3]) return "ONNX Runtime up to 1.26 returns no products of queries and keys in float16";
  return undefined;
}

/** @file What every definition of an operator requires of its nodes, so that no rule meets a node without it. */
import { InvalidModelError } from "../errors.ts";
import { describeNode, type Node, qualifiedName } from "../ir/index.ts";
import type { OpSpec } from "./spec.ts";
import type { OpType } from "./table.ts";

/** How many inputs, counted from the front, an operator cannot do without in any version; one where it is not listed. */
const inputCounts = {
  0: [
    "Constant",
    "RandomNormal",
    "RandomUniform",
    "Loop",
    "Scan",
    "ai.onnx.preview.training::Gradient",
    "SequenceEmpty",
    "Optional",
    "OptionalHasElement",
  ],
  2: [
    "com.microsoft::Attention",
    "CastLike",
    "com.microsoft::BiasGelu",
    "com.microsoft::QLinearAdd",
    "com.microsoft::QLinearMul",
    "com.microsoft::QLinearSigmoid",
    "com.microsoft::QLinearLeakyRelu",
    "com.microsoft::QLinearSoftmax",
    "com.microsoft::QLinearAveragePool",
    "com.microsoft::QLinearGlobalAveragePool",
    "com.microsoft::BiasSoftmax",
    "Conv",
    "ConvInteger",
    "com.microsoft::FusedConv",
    "ConvTranspose",
    "CausalConvWithState",
    "SwiGLU",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Mod",
    "Pow",
    "PRelu",
    "And",
    "Or",
    "Xor",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "BitShift",
    "BitwiseAnd",
    "BitwiseOr",
    "BitwiseXor",
    "Gather",
    "GatherElements",
    "GatherND",
    "TensorScatter",
    "Compress",
    "AffineGrid",
    "GridSample",
    "NonMaxSuppression",
    "NegativeLogLikelihoodLoss",
    "SoftmaxCrossEntropyLoss",
    "MatMul",
    "Gemm",
    "MatMulInteger",
    "com.microsoft::FusedMatMul",
    "com.microsoft::FusedGemm",
    "com.microsoft::TransposeMatMul",
    "com.microsoft::DynamicQuantizeMatMul",
    "Expand",
    "Tile",
    "ReverseSequence",
    "LayerNormalization",
    "RMSNormalization",
    "SimplifiedLayerNormalization",
    "MaxUnpool",
    "MaxRoiPool",
    "QuantizeLinear",
    "DequantizeLinear",
    "com.microsoft::QuantizeLinear",
    "com.microsoft::DequantizeLinear",
    "CumSum",
    "CumProd",
    "SequenceInsert",
    "SequenceAt",
    "STFT",
    "CenterCropPad",
    "StringConcat",
    "ai.onnx.ml::ArrayFeatureExtractor",
  ],
  3: [
    "Attention",
    "ai.onnx.preview::FlexAttention",
    "LinearAttention",
    "RotaryEmbedding",
    "com.microsoft::SkipLayerNormalization",
    "com.microsoft::SkipSimplifiedLayerNormalization",
    "com.microsoft::MatMulNBits",
    "com.microsoft::MatMulBnb4",
    "com.microsoft::QGemm",
    "com.microsoft::MoE",
    "com.microsoft::QMoE",
    "com.microsoft::GatherBlockQuantized",
    "DeformConv",
    "Where",
    "Scatter",
    "ScatterElements",
    "ScatterND",
    "OneHot",
    "Range",
    "Col2Im",
    "InstanceNormalization",
    "GroupNormalization",
    "RoiAlign",
    "LSTM",
    "GRU",
    "RNN",
  ],
  4: ["com.microsoft::RotaryEmbedding", "com.microsoft::MatMulIntegerToFloat"],
  5: ["BatchNormalization", "MelWeightMatrix"],
  8: ["QLinearConv", "QLinearMatMul"],
} as const satisfies Readonly<Record<number, readonly OpType[]>>;

/** Attributes that an operator cannot do without in any version. */
const attributeNames = {
  BitCast: ["to"],
  BitShift: ["direction"],
  Cast: ["to"],
  ConcatFromSequence: ["axis"],
  DepthToSpace: ["blocksize"],
  Einsum: ["equation"],
  If: ["then_branch", "else_branch"],
  LRN: ["size"],
  Loop: ["body"],
  MaxRoiPool: ["pooled_shape"],
  MaxUnpool: ["kernel_shape"],
  RandomNormal: ["shape"],
  RandomUniform: ["shape"],
  Scan: ["body", "num_scan_inputs"],
  SequenceMap: ["body"],
  SpaceToDepth: ["blocksize"],
} as const satisfies Partial<Record<OpType, readonly string[]>>;

const inputs: ReadonlyMap<string, number> = new Map(
  Object.entries(inputCounts).flatMap(([count, names]) => names.map((name): [string, number] => [name, Number(count)])),
);
const attributes: ReadonlyMap<string, readonly string[]> = new Map(Object.entries(attributeNames));

/** @throws InvalidModelError that names what a node of a known operator lacks. */
export function checkRequired(node: Node): void {
  const name = qualifiedName(node);
  const count = inputs.get(name) ?? 1;
  for (let i = 0; i < count; i++) {
    if (node.inputs[i] === undefined) throw lacking(node, `input ${i}`, `at least ${count} inputs`);
  }
  for (const attribute of attributes.get(name) ?? []) {
    if (!node.attributes.has(attribute)) throw lacking(node, `attribute "${attribute}"`, `"${attribute}"`);
  }
}

function lacking(node: Node, what: string, expected: string): InvalidModelError {
  return new InvalidModelError(`${qualifiedName(node)} lacks its ${what}`, { expected, where: describeNode(node) });
}

/** The entry with rules that are only asked about nodes that have what they require. */
export function requiring(spec: OpSpec): OpSpec {
  const { infer, axes, cost, symbols } = spec;
  const checked =
    <F extends { readonly node: Node }, A extends unknown[], T>(rule: (facts: F, ...rest: A) => T) =>
    (facts: F, ...rest: A): T => {
      checkRequired(facts.node);
      return rule(facts, ...rest);
    };
  const guarded = { ...spec, infer: checked(infer), axes: checked(axes), cost: checked(cost) };
  return symbols ? { ...guarded, symbols: checked(symbols) } : guarded;
}

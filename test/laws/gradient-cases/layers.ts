/** @file Convolutions, pools, normalisations, resampling, losses, attention, fused and quantizing operators. */
import { type AttributeLiteral, float, int64s, qualifiedName, tensorFromNumbers } from "../../../src/ir/index.ts";
import { type CaseInput, distinct, type GradientCase, integers, number, operator, positive, x } from "./case.ts";

type Attributes = Readonly<Record<string, AttributeLiteral>>;

const convolutions: readonly GradientCase[] = (
  [
    ["Conv", [2, 2, 5], [2, 2, 3], { pads: [1, 1] }],
    ["Conv", [2, 1, 7], [1, 1, 3], { strides: [2] }],
    ["Conv", [2, 3, 4, 5], [4, 3, 1, 1], {}],
    ["Conv", [2, 3, 4, 5], [4, 3, 1, 1], { pads: [1, 0, 1, 0] }],
    ["Conv", [2, 1, 5, 5], [2, 1, 3, 3], { pads: [1, 1, 1, 1] }],
    ["Conv", [2, 16, 5, 4], [3, 16, 3, 3], { pads: [1, 1, 1, 1] }],
    ["Conv", [2, 2, 7, 5], [3, 2, 3, 3], { pads: [1, 1, 1, 1], strides: [2, 2] }],
    ["Conv", [2, 1, 7, 6], [2, 1, 3, 3], { dilations: [2, 2] }],
    ["Conv", [2, 1, 7, 5], [2, 1, 3, 3], { dilations: [2, 2], pads: [1, 1, 1, 1] }],
    ["Conv", [2, 4, 5, 5], [6, 2, 3, 3], { group: 2, pads: [1, 0, 1, 2] }],
    ["Conv", [2, 3, 5, 5], [3, 1, 3, 3], { group: 3, strides: [2, 2], pads: [1, 1, 1, 1] }],
    ["Conv", [1, 2, 6, 6], [2, 2, 3, 3], { auto_pad: "SAME_UPPER", strides: [2, 2] }],
    ["Conv", [1, 2, 5, 6], [2, 2, 2, 3], { auto_pad: "SAME_LOWER" }],
    ["Conv", [1, 2, 5, 6], [2, 2, 2, 3], { auto_pad: "VALID" }],
    ["Conv", [1, 1, 4, 4, 5], [2, 1, 3, 3, 3], { pads: [1, 1, 1, 1, 1, 1] }],
    ["Conv", [1, 1, 5, 4, 5], [1, 1, 3, 3, 3], { strides: [2, 2, 2] }],
    ["Conv", [1, 2, 9, 9], [2, 2, 7, 7], { strides: [2, 2], pads: [3, 3, 3, 3] }],
    ["ConvTranspose", [2, 2, 4], [2, 3, 3], {}],
    ["ConvTranspose", [1, 2, 3, 4], [2, 3, 3, 3], { strides: [2, 2], pads: [1, 1, 1, 1], output_padding: [1, 0] }],
    ["ConvTranspose", [1, 4, 3, 3], [4, 2, 2, 2], { group: 2, strides: [2, 2] }],
    ["ConvTranspose", [1, 2, 3, 4], [2, 2, 3, 3], { dilations: [2, 1] }],
    ["ConvTranspose", [1, 1, 3, 3], [1, 2, 3, 3], { strides: [2, 2], output_shape: [6, 6] }],
    ["ConvTranspose", [1, 1, 3, 3], [1, 2, 3, 3], { strides: [2, 2], auto_pad: "SAME_UPPER" }],
  ] as const satisfies readonly (readonly [string, readonly number[], readonly number[], Attributes])[]
).map(([op, a, w, attributes]) => {
  const outputs = op === "Conv" ? w[0] : w[1] * (("group" in attributes && attributes.group) || 1);
  return operator(op, [{ dims: a }, { dims: w }, { dims: [outputs] }], attributes);
});

const pools: readonly GradientCase[] = [
  ...(
    [
      [[2, 2, 9], { kernel_shape: [2] }],
      [[2, 3, 4, 4], { kernel_shape: [2, 2], strides: [2, 2] }],
      [[1, 3, 5, 5], { kernel_shape: [2, 2], strides: [2, 2] }],
      [[2, 3, 5, 5], { kernel_shape: [2, 2] }],
      [[1, 1, 5, 5], { kernel_shape: [3, 3], pads: [2, 2, 2, 2] }],
      [[1, 2, 8, 7], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] }],
      [[1, 1, 8, 8], { kernel_shape: [3, 3], strides: [3, 3], ceil_mode: 1 }],
      [[1, 2, 7, 7], { kernel_shape: [2, 2], dilations: [2, 2] }],
      [[1, 2, 7, 7], { kernel_shape: [3, 3], strides: [2, 2], auto_pad: "SAME_UPPER" }],
      [[1, 2, 4, 4, 4], { kernel_shape: [2, 2, 2], strides: [2, 2, 2] }],
      [[1, 1, 3, 4, 4], { kernel_shape: [2, 2, 2] }],
    ] as const satisfies readonly (readonly [readonly number[], Attributes])[]
  ).flatMap(([dims, attributes]) => [
    operator("MaxPool", [distinct(...dims)], attributes),
    ...("dilations" in attributes || "ceil_mode" in attributes
      ? []
      : [0, 1].map((include) => operator("AveragePool", [{ dims }], { ...attributes, count_include_pad: include }))),
    ...("auto_pad" in attributes || "dilations" in attributes
      ? []
      : [1, 2, 3].map((p) => operator("LpPool", [positive(...dims)], { ...attributes, p }))),
  ]),
  operator("AveragePool", [x(1, 1, 7, 7)], { kernel_shape: [3, 3], strides: [2, 2], ceil_mode: 1 }),
  operator("AveragePool", [x(1, 1, 6, 6)], { kernel_shape: [3, 2], strides: [2, 2], pads: [1, 0, 0, 1] }),
  operator("GlobalAveragePool", [x(2, 3, 4, 5)]),
  operator("GlobalMaxPool", [distinct(2, 3, 4)]),
  ...[1, 2, 3].map((p) => operator("GlobalLpPool", [x(2, 3, 4)], { p })),
  operator("MaxUnpool", [x(1, 1, 2, 2), integers([1, 1, 2, 2], [1, 3, 8, 15])], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  }),
];

const norms: readonly GradientCase[] = [
  operator("LayerNormalization", [x(2, 3, 8), x(8), x(8)], { axis: -1 }),
  operator("LayerNormalization", [x(2, 3, 4), x(3, 4)], { axis: 1, epsilon: 0.01 }),
  operator("LayerNormalization", [x(2, 3, 4), x(4), x(4)], {}, { outputs: 3, name: "LayerNormalization, all outputs" }),
  operator("RMSNormalization", [x(2, 3, 8), x(8)], {}, { opset: 23 }),
  operator("SimplifiedLayerNormalization", [x(2, 3, 8), x(8)]),
  operator("InstanceNormalization", [x(2, 3, 4, 5), x(3), x(3)]),
  operator("GroupNormalization", [x(2, 4, 3, 3), x(4), x(4)], { num_groups: 2 }),
  operator("LpNormalization", [x(2, 3, 4)], { p: 1 }),
  operator("LpNormalization", [x(2, 3, 4)], { axis: 1 }),
  operator("MeanVarianceNormalization", [x(2, 3, 3, 2)]),
  operator("LRN", [x(1, 6, 2, 2)], { size: 3, alpha: 0.3, beta: 0.6 }),
  operator("LRN", [x(1, 5, 2, 2)], { size: 4, alpha: 0.3 }, { runtime: "the kernel takes odd sizes only" }),
  operator("BatchNormalization", [x(3, 2, 4), x(2), x(2), x(2), positive(2)]),
  ...[0, 0.7].map((momentum) =>
    operator(
      "BatchNormalization",
      [x(3, 2, 4), x(2), x(2), x(2), positive(2)],
      { training_mode: 1, momentum: float(momentum), epsilon: float(0.01) },
      {
        outputs: 3,
        name: `BatchNormalization, all outputs, momentum ${momentum}`,
        ...(momentum > 0 && { runtime: "the kernel writes the running statistics over the feeds" }),
      },
    ),
  ),
  ...[
    [3, 3, 2, 4],
    [3, 1, 2, 4],
    [6, 5, 3, 2],
  ].map((dims) => {
    const channel: CaseInput = { dims: [dims[1]!] };
    const fixed: CaseInput = { ...positive(dims[1]!), differentiable: false };
    return operator(
      "BatchNormalization",
      [{ dims }, channel, channel, fixed, fixed],
      { training_mode: 1 },
      {
        outputs: 3,
        build: (g, input) => [
          g.ops("BatchNormalization", ["a", "b", "c", "d", "e"].map(input), 3, { training_mode: 1 })[0],
        ],
      },
    );
  }),
];

/** Resize by scales (third input) or by sizes (fourth). */
function resize(
  dims: readonly number[],
  by: { scales?: number[]; sizes?: number[] },
  attributes: Attributes,
): GradientCase {
  return {
    name: `Resize [${dims}] ${JSON.stringify({ ...by, ...attributes })}`,
    covers: ["Resize"],
    inputs: { x: { dims } },
    build(g, input) {
      const scales = by.scales && g.constant("scales", tensorFromNumbers("float32", [by.scales.length], by.scales));
      const sizes = by.sizes && g.constant("sizes", int64s(by.sizes));
      return [g.op("Resize", [input("x"), undefined, scales, sizes], attributes)];
    },
  };
}

const images: readonly GradientCase[] = [
  ...["nearest", "linear", "cubic"].flatMap((mode) =>
    ["half_pixel", "align_corners", "asymmetric", "pytorch_half_pixel"].map((coordinate_transformation_mode) =>
      resize([1, 2, 4, 5], { sizes: [1, 2, 7, 3] }, { mode, coordinate_transformation_mode }),
    ),
  ),
  resize([1, 2, 4, 4], { scales: [1, 1, 2, 2] }, { mode: "linear" }),
  resize([1, 2, 4, 4], { scales: [1, 1, 0.6, 1.5] }, { mode: "nearest", nearest_mode: "ceil" }),
  resize([1, 1, 6, 6], { scales: [1, 1, 0.5, 0.5] }, { mode: "linear", antialias: 1 }),
  resize([3, 4], { sizes: [5, 7] }, { mode: "linear" }),
  ...["zeros", "border", "reflection"].flatMap((padding_mode) =>
    [0, 1].map((align_corners) =>
      operator("GridSample", [x(2, 2, 4, 5), { dims: [2, 3, 2, 2], low: -1.3, high: 1.3 }], {
        padding_mode,
        align_corners,
        mode: "linear",
      }),
    ),
  ),
  operator("GridSample", [x(1, 2, 4, 5), { dims: [1, 3, 2, 2], low: -1.3, high: 1.3, differentiable: false }], {
    mode: "nearest",
  }),
  operator("GridSample", [x(1, 1, 3, 3, 3), { dims: [1, 2, 2, 1, 3], low: -0.9, high: 0.9 }], { mode: "linear" }),
];

const losses: readonly GradientCase[] = ["none", "sum", "mean"].flatMap((reduction) => [
  operator("SoftmaxCrossEntropyLoss", [x(3, 5), integers([3], [0, 4, 2])], { reduction }),
  operator("SoftmaxCrossEntropyLoss", [x(2, 4, 3), integers([2, 3], [0, 3, 2, 1, 1, 0]), positive(4)], {
    reduction,
    ignore_index: 1,
  }),
  operator("NegativeLogLikelihoodLoss", [x(3, 5), integers([3], [0, 4, 2])], { reduction }),
  operator("NegativeLogLikelihoodLoss", [x(2, 4, 3), integers([2, 3], [0, 3, 2, 1, 1, 0]), positive(4)], {
    reduction,
    ignore_index: 1,
  }),
]);

const attentions: readonly GradientCase[] = [
  operator("Attention", [x(2, 2, 3, 4), x(2, 2, 5, 4), x(2, 2, 5, 4)], {}, { opset: 23 }),
  operator("Attention", [x(1, 4, 3, 4), x(1, 2, 3, 4), x(1, 2, 3, 4)], { is_causal: 1, scale: 0.3 }, { opset: 23 }),
  operator(
    "Attention",
    [x(2, 3, 8), x(2, 4, 8), x(2, 4, 8), x(3, 4)],
    { q_num_heads: 2, kv_num_heads: 2 },
    { opset: 23 },
  ),
  operator("Attention", [x(1, 1, 3, 4), x(1, 1, 3, 4), x(1, 1, 3, 4)], { softcap: 0.7 }, { opset: 23 }),
  operator("RotaryEmbedding", [x(1, 2, 3, 8), x(1, 3, 4), x(1, 3, 4)], {}, { opset: 23 }),
  operator(
    "RotaryEmbedding",
    [x(1, 3, 16), x(5, 2), x(5, 2), integers([1, 3], [0, 2, 4])],
    { num_heads: 2, rotary_embedding_dim: 4 },
    { opset: 23 },
  ),
  operator(
    "MultiHeadAttention",
    [x(2, 3, 8), x(2, 4, 8), x(2, 4, 8), x(24)],
    { num_heads: 2 },
    { domain: "com.microsoft" },
  ),
  operator(
    "MultiHeadAttention",
    [x(2, 3, 8), x(2, 3, 8), x(2, 3, 8)],
    { num_heads: 2, unidirectional: 1 },
    { domain: "com.microsoft" },
  ),
  operator(
    "Attention",
    [x(2, 3, 4), x(4, 12), x(12)],
    { num_heads: 2 },
    { domain: "com.microsoft", name: "com.microsoft Attention" },
  ),
];

const microsoft = { domain: "com.microsoft" };

const fused: readonly GradientCase[] = [
  operator("FusedMatMul", [x(2, 3, 4), x(2, 4, 5)], { alpha: 0.5 }, microsoft),
  operator("FusedMatMul", [x(2, 4, 3), x(5, 4)], { alpha: 0.5, transA: 1, transB: 1 }, microsoft),
  operator("TransposeMatMul", [x(2, 4, 3), x(2, 4, 5)], { alpha: 0.5, transA: 1 }, microsoft),
  operator("FusedGemm", [x(2, 3), x(3, 4), x(4)], { activation: "Tanh", alpha: 0.5 }, microsoft),
  operator("FusedGemm", [x(2, 3), x(3, 4), x(4)], { activation: "LeakyRelu", activation_alpha: 0.1 }, microsoft),
  operator("FusedConv", [x(1, 2, 4, 4), x(3, 2, 3, 3), x(3)], { activation: "Relu", pads: [1, 1, 1, 1] }, microsoft),
  operator("SkipLayerNormalization", [x(2, 3, 8), x(2, 3, 8), x(8), x(8), x(8)], { epsilon: 1e-5 }, microsoft),
  operator("SkipSimplifiedLayerNormalization", [x(2, 3, 8), x(2, 3, 8), x(8)], { epsilon: 1e-5 }, microsoft),
  operator(
    "BiasSoftmax",
    [x(2, 3, 4), x(2, 1, 4)],
    { axis: 2, is_inner_broadcast: 1 },
    {
      ...microsoft,
      runtime: "the CPU provider has no kernel",
    },
  ),
  {
    name: "Dropout in training mode, ratio 0",
    covers: ["Dropout"],
    inputs: { x: x(3, 4) },
    build: (g, input) => [g.op("Dropout", [input("x"), number(g, 0), number(g, 1, "bool")])],
  },
  operator("Dropout", [x(3, 4)], {}, { name: "Dropout at inference" }),
];

/** Inside the range, half a step away from every edge of rounding, so that q does not change nearby. */
const steps: CaseInput = { dims: [2, 3], values: [0.21, -0.43, 0.09, -0.12, 0.33, 0.61] };
const straight = { notADerivative: "rounding is passed straight through" };

const quantization: readonly GradientCase[] = [
  operator(
    "DequantizeLinear",
    [integers([2, 3], [3, 4, -7, 100, 2, 9], "int8"), positive(3), integers([3], [0, 1, 2], "int8")],
    { axis: 1 },
  ),
  operator("DequantizeLinear", [integers([2, 3], [3, 4, 7, 100, 2, 9], "uint8"), { dims: [], values: [0.3] }]),
  operator(
    "DequantizeLinear",
    [integers([4], [3, 4, -7, 100], "int8"), { dims: [], values: [0.3] }],
    {},
    { domain: "com.microsoft", name: "com.microsoft DequantizeLinear" },
  ),
  ...["", "com.microsoft"].map(
    (domain): GradientCase => ({
      name: `${domain} QuantizeLinear and DequantizeLinear`.trim(),
      covers: [domain ? `${domain}::QuantizeLinear` : "QuantizeLinear"],
      inputs: { x: steps, scale: { dims: [], values: [0.1] }, zero: integers([], [3], "int8") },
      build(g, input) {
        const q = g.unchecked(
          qualifiedName({ opType: "QuantizeLinear", domain }),
          [input("x"), input("scale"), input("zero")],
          1,
        )[0];
        return [
          g.unchecked(qualifiedName({ opType: "DequantizeLinear", domain }), [q, input("scale"), input("zero")], 1)[0],
        ];
      },
      ...straight,
    }),
  ),
  {
    name: "QuantizeLinear and DequantizeLinear of int4 with a scale for each channel",
    covers: ["QuantizeLinear", "DequantizeLinear"],
    inputs: { x: steps, scale: { dims: [3], values: [0.1, 0.2, 0.15] } },
    build(g, input) {
      const zero = g.constant("zero", tensorFromNumbers("int4", [3], [0, 1, -2]));
      const q = g.op("QuantizeLinear", [input("x"), input("scale"), zero], { axis: 1 });
      return [g.op("DequantizeLinear", [q, input("scale"), zero], { axis: 1 })];
    },
    ...straight,
  },
];

export const layerCases: readonly GradientCase[] = [
  ...convolutions,
  ...pools,
  ...norms,
  ...images,
  ...losses,
  ...attentions,
  ...fused,
  ...quantization,
];

/** @file Operators of com.microsoft that fuse standard ones, taken apart again; and Dropout, whose mask is its derivative. */
import { UnsupportedError } from "../../errors.ts";
import { describeNode, float, floatOf, intOf, type Node, stringOf, tensorType, type Value } from "../../ir/index.ts";
import { activationAttributes, fusedActivations, isFusedActivation } from "../../ops/index.ts";
import type { GradientBuilder } from "../gradient-builder.ts";
import { type Expansion, expand, type GradientEntry, type GradientRule, refuse } from "../rule.ts";

/** α·A′·B′; `transBatch` moves the first axis behind the others before the product. */
const fusedMatMul: Expansion = (g, node) => {
  const [a, b] = node.inputs;
  if (!a || !b) return [];
  const operand = (x: Value, name: "A" | "B"): Value => {
    if (intOf(node, `transBatch${name}`, 0)) {
      throw new UnsupportedError("FusedMatMul has no gradient with transBatch", { where: describeNode(node) });
    }
    return intOf(node, `trans${name}`, 0) && g.rank(x) > 1 ? g.transposeLast(x) : x;
  };
  return [g.scale(g.matmul(operand(a, "A"), operand(b, "B")), floatOf(node, "alpha", 1))];
};

const fusedGemm: Expansion = (g, node) => {
  const attributes = {
    alpha: float(floatOf(node, "alpha", 1)),
    beta: float(floatOf(node, "beta", 1)),
    transA: intOf(node, "transA", 0),
    transB: intOf(node, "transB", 0),
  };
  return [activated(g, node, g.op("Gemm", node.inputs, attributes))];
};

const fusedConv: Expansion = (g, node) => {
  const [x, w, bias, added] = node.inputs;
  const own = [...node.attributes].filter(([name]) => !name.startsWith("activation"));
  const product = g.op("Conv", bias ? [x, w, bias] : [x, w], Object.fromEntries(own));
  return [activated(g, node, added ? g.add(product, added) : product)];
};

function activated(g: GradientBuilder, node: Node, x: Value): Value {
  const name = stringOf(node, "activation", "");
  if (name === "") return x;
  if (!isFusedActivation(name)) {
    throw new UnsupportedError(`${node.opType} has no gradient with the activation ${name}`, {
      expected: fusedActivations.join(", "),
      where: describeNode(node),
    });
  }
  return g.op(name, [x], activationAttributes(node, name));
}

/** Normalisation of x + skip (+ bias); the fourth output is that sum. */
function skipNorm(opType: "LayerNormalization" | "SimplifiedLayerNormalization"): Expansion {
  const isCentred = opType === "LayerNormalization";
  return (g, node) => {
    const [x, skip, gamma] = node.inputs;
    if (!x || !skip || !gamma) return [];
    const beta = isCentred ? node.inputs[3] : undefined;
    const bias = node.inputs[isCentred ? 4 : 3];
    const sum = bias ? g.add(g.add(x, skip), bias) : g.add(x, skip);
    const attributes = { axis: -1, epsilon: float(floatOf(node, "epsilon", 1e-12)) };
    return [g.op(opType, beta ? [sum, gamma, beta] : [sum, gamma], attributes), undefined, undefined, sum];
  };
}

const biasSoftmax: Expansion = (g, node) => {
  const [x, bias] = node.inputs;
  if (!x || !bias) return [];
  if (intOf(node, "is_inner_broadcast", 0) === 0) {
    throw new UnsupportedError("BiasSoftmax has no gradient with an outer broadcast", { where: describeNode(node) });
  }
  return [g.softmax(g.add(x, bias), intOf(node, "axis", 1))];
};

/** While training dx = dy·mask / (1 − ratio). Reading the mask also keeps ONNX Runtime from deleting the node. */
const dropout: GradientRule = (g, node, [dy]) => {
  const [x, ratio, training] = node.inputs;
  if (!x || !dy) return [];
  if (!training || g.constant(training)?.data.toString() === "0") return [dy];
  const kept = g.mask(g.output(node, 1, tensorType("bool", g.dims(x))), x);
  const rate = ratio ? g.cast(ratio, g.dtype(x)) : g.number(0.5, x);
  const factor = g.op("Reciprocal", [g.sub(g.number(1, x), rate)]);
  const scale = g.constant(training) ? factor : g.where(training, factor, g.number(1, x));
  return [g.mul(dy, g.mul(kept, scale))];
};

export const fused = {
  Dropout: dropout,
  "com.microsoft::FusedMatMul": expand(fusedMatMul),
  "com.microsoft::TransposeMatMul": expand(fusedMatMul),
  "com.microsoft::FusedGemm": expand(fusedGemm),
  "com.microsoft::FusedConv": expand(fusedConv),
  "com.microsoft::SkipLayerNormalization": expand(skipNorm("LayerNormalization")),
  "com.microsoft::SkipSimplifiedLayerNormalization": expand(skipNorm("SimplifiedLayerNormalization")),
  "com.microsoft::BiasSoftmax": expand(biasSoftmax),
  "com.microsoft::EmbedLayerNormalization": refuse("export the model without fusion; its parts have gradients"),
} satisfies Record<string, GradientEntry>;

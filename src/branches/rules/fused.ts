/** @file Operators of com.microsoft that fuse standard ones: side by side, they are the standard ones again. */
import { nth } from "../../checked.ts";
import { float, floatOf, intOf, type Node, stringOf, type Value } from "../../ir/index.ts";
import { activationAttributes, isFusedActivation } from "../../ops/index.ts";
import { type Declined, declined } from "../../rewrite/index.ts";
import { type Operand, stacked } from "../operand.ts";
import type { Fusion, FusionRule } from "../rule.ts";
import { convRules } from "./conv.ts";
import { elementwise, elementwiseOver } from "./elementwise.ts";
import { matmulRules } from "./matmul.ts";
import { normalized } from "./norm.ts";

/** Σ of operands that broadcast to `dims`. */
function total(f: Fusion, operands: readonly (Operand | undefined)[], dims: ReturnType<Fusion["dims"]>): Operand {
  const terms = operands.filter((operand) => operand !== undefined);
  return terms.reduce((a, b) =>
    a.kind === "common" && b.kind === "common"
      ? { kind: "common", value: f.op("Add", [a.value, b.value]), rank: Math.max(a.rank, b.rank) }
      : nth(
          elementwiseOver(f, [a, b], dims, (inputs) => [f.op("Add", inputs)]),
          0,
        ),
  );
}

/** Gelu(x + bias), the bias being optional. */
const biasGelu = (approximate: "none" | "tanh"): FusionRule => ({
  fuse(f, node, operands) {
    const dims = f.dims(node.outputs[0]);
    const emit = (inputs: readonly (Value | undefined)[]) => [f.op("Gelu", inputs, { approximate })];
    return elementwiseOver(f, [total(f, operands, dims)], dims, emit);
  },
});

/** The normalised sum x + skip (+ bias), and that sum as the fourth output. */
const skipNorm = (opType: "LayerNormalization" | "SimplifiedLayerNormalization"): FusionRule => ({
  fuse(f, node, [x, skip, gamma, ...others]) {
    const [beta, bias] = opType === "LayerNormalization" ? others : [undefined, others[0]];
    if (!x || !skip || !gamma || node.outputs[1] || node.outputs[2]) return declined("statistics as outputs");
    const sum = total(f, [x, skip, bias], f.dims(node.outputs[0]));
    const attributes = { axis: -1, epsilon: float(floatOf(node, "epsilon", 1e-12)) };
    const y = normalized(f, opType, sum, { scale: gamma, bias: beta, behind: 1, attributes });
    return "declined" in y ? y : [y, y, y, sum].slice(0, node.outputs.length);
  },
});

/** The same operator of ai.onnx without what makes it the fused one. */
function plain(node: Node, opType: string): Node {
  const own = [...node.attributes].filter(([name]) => !name.startsWith("activation"));
  return { ...node, domain: "", opType, attributes: new Map(own) };
}

/** α · op(A) · op(B). */
const fusedMatMul: FusionRule = {
  fuse(f, node, [a, b]) {
    if (!a || !b || intOf(node, "transBatchA", 0) || intOf(node, "transBatchB", 0)) return declined("moved batch axes");
    const sides = [intOf(node, "transA", 0) ? turned(f, a) : a, intOf(node, "transB", 0) ? turned(f, b) : b];
    const product = matmulRules.MatMul.fuse(f, plain(node, "MatMul"), sides);
    const alpha = floatOf(node, "alpha", 1);
    if ("declined" in product || alpha === 1) return product;
    const dims = f.dims(node.outputs[0]);
    const factor = f.number(alpha, f.dtype(node.outputs[0]));
    return elementwiseOver(f, product, dims, ([x]) => [f.op("Mul", [x, factor])]);
  },
};

/** With the last two axes of every branch exchanged. */
function turned(f: Fusion, operand: Operand): Operand {
  const { rank } = operand;
  const order = [...Array(rank - 2).keys(), rank - 1, rank - 2];
  if (operand.kind === "common") {
    return { kind: "common", value: f.op("Transpose", [operand.value], { perm: order }), rank };
  }
  const perm = [0, ...order.map((axis) => axis + 1)];
  return stacked(f.op("Transpose", [f.at(operand, 0)], { perm }), 0, rank);
}

const fusedGemm: FusionRule = {
  fuse: (f, node, operands) => activated(f, node, matmulRules.Gemm.fuse(f, plain(node, "Gemm"), operands)),
};

const fusedConv: FusionRule = {
  fuse(f, node, [x, w, bias, summand]) {
    const made = convRules.Conv.fuse(f, plain(node, "Conv"), bias ? [x, w, bias] : [x, w]);
    if ("declined" in made || !summand) return activated(f, node, made);
    return activated(f, node, [total(f, [made[0], summand], f.dims(node.outputs[0]))]);
  },
};

function activated(f: Fusion, node: Node, made: readonly Operand[] | Declined): readonly Operand[] | Declined {
  const name = stringOf(node, "activation", "");
  if ("declined" in made || name === "") return made;
  if (!isFusedActivation(name)) return declined(`the activation ${name}`);
  const attributes = activationAttributes(node, name);
  return elementwiseOver(f, made, f.dims(node.outputs[0]), (inputs) => [f.op(name, inputs, attributes)]);
}

export const fusedOperatorRules = {
  "com.microsoft::BiasGelu": biasGelu("none"),
  "com.microsoft::FastGelu": biasGelu("tanh"),
  "com.microsoft::FusedConv": fusedConv,
  "com.microsoft::FusedGemm": fusedGemm,
  "com.microsoft::FusedMatMul": fusedMatMul,
  "com.microsoft::Gelu": elementwise,
  "com.microsoft::QuickGelu": elementwise,
  "com.microsoft::SkipLayerNormalization": skipNorm("LayerNormalization"),
  "com.microsoft::SkipSimplifiedLayerNormalization": skipNorm("SimplifiedLayerNormalization"),
  "com.microsoft::TransposeMatMul": fusedMatMul,
} satisfies Record<string, FusionRule>;

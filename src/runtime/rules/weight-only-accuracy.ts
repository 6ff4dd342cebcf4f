import type { Rule } from "./rule.ts";

export const weightOnlyAccuracy: Rule = {
  goesWrong: "weight-only DequantizeLinear → MatMul is fused into a kernel that rounds the activations to int8",
  config: () => ["session.qdq_matmulnbits_accuracy_level", "0"],
};

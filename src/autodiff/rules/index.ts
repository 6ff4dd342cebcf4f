/** @file The gradient of every operator, by qualified name. */
import type { Node } from "../../ir/index.ts";
import { qualifiedName } from "../../ir/index.ts";
import type { GradientEntry } from "../rule.ts";
import { convolutions } from "./conv.ts";
import { elementwise } from "./elementwise.ts";
import { products } from "./matmul.ts";
import { movements } from "./movement.ts";
import { norms } from "./norm.ts";
import { reductions } from "./reduce.ts";

export const gradientRules: Readonly<Record<string, GradientEntry>> = {
  ...elementwise,
  ...products,
  ...reductions,
  ...movements,
  ...norms,
  ...convolutions,
};

const table = new Map(Object.entries(gradientRules));

export function ruleOf(node: Node): GradientEntry | undefined {
  return table.get(qualifiedName(node));
}

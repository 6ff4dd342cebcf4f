/** @file Which nodes give the same outputs for the same inputs, on every run. */
import type { Model, Node } from "../ir/index.ts";

/** Operators that draw numbers; a `Dropout` may, since whether it trains can be an input. */
const random: ReadonlySet<string> = new Set([
  "Bernoulli",
  "Dropout",
  "Multinomial",
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
]);

/** Domains whose operators are functions of their inputs. Others may hold a state that is not known here. */
const pureDomains: ReadonlySet<string> = new Set(["", "ai.onnx", "ai.onnx.ml", "com.microsoft"]);

/** Whether a node is known to be a function of its inputs. Model-local functions are not looked into. */
export function isDeterministic(node: Node, model: Model): boolean {
  if (random.has(node.opType) || !pureDomains.has(node.domain)) return false;
  if (node.opType.startsWith("Random") || node.opType.includes("Sampling")) return false;
  return !model.functions.some((f) => f.domain === node.domain && f.name === node.opType);
}

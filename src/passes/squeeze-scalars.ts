/** @file Scalars by definition that a model gives as vectors of one element. */
import { type Node, qualifiedName, type Value } from "../ir/index.ts";
import { type Pass, type Rule, type RuleContext, rulePass, typesIn } from "../rewrite/index.ts";

/**
 * Inputs of which the runtime's kernels take one element in any rank, while its checks, which see the rank only where it is known before
 * the run, insist on a scalar.
 */
const scalarInputs = {
  BlackmanWindow: [0],
  Dropout: [1, 2],
  HammingWindow: [0],
  HannWindow: [0],
  MelWeightMatrix: [0, 1, 2, 3, 4],
  Range: [0, 1, 2],
} as const satisfies Record<string, readonly number[]>;

const table = new Map<string, readonly number[]>(Object.entries(scalarInputs));

const oneElement: Rule = {
  name: "one-element",
  roots: Object.keys(scalarInputs),
  apply(node, context) {
    const wrong = wrongPorts(node, context);
    if (wrong.length === 0) return undefined;
    const { g } = context;
    const inputs = node.inputs.map((value, i) => (wrong.includes(i) ? g.op("Squeeze", [value]) : value));
    const outputs = g.like(node, inputs);
    return {
      reason: "its scalar was a vector of one element",
      outputs: node.outputs.map((value, i) => value && outputs[i]),
    };
  },
};

function wrongPorts(node: Node, context: RuleContext): readonly number[] {
  const isVector = (value: Value | undefined): boolean => (context.dims(value)?.length ?? 0) > 0;
  return (table.get(qualifiedName(node)) ?? []).filter((i) => isVector(node.inputs[i]));
}

/** Exact. Folding makes ranks known that the runtime did not see before; without this it refuses what it has run so far. */
export function squeezeScalars(): Pass {
  return rulePass("squeeze-scalars", "exact", [oneElement], { types: typesIn });
}

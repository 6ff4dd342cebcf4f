/** @file The activation that fused operators of com.microsoft end with. */
import { type AttributesOf, float, floatOf, floatsAttribute, type Node } from "../ir/index.ts";

/** The parameters of each, in the order of `activation_params`. */
const parameters = {
  Relu: [],
  Tanh: [],
  Sigmoid: [],
  LeakyRelu: ["alpha"],
  HardSigmoid: ["alpha", "beta"],
} as const satisfies Record<string, readonly string[]>;

export type FusedActivation = keyof typeof parameters;

export const fusedActivations = Object.keys(parameters) as readonly FusedActivation[];

export function isFusedActivation(name: string): name is FusedActivation {
  return Object.hasOwn(parameters, name);
}

/** The attributes of an activation that a fused node holds, as those of a node of its own. */
export function activationAttributes(node: Node, activation: FusedActivation): AttributesOf<"HardSigmoid"> {
  const given = floatsAttribute(node, "activation_params") ?? [];
  const settings = parameters[activation].map(
    (key, i) => [key, given[i] ?? floatOf(node, `activation_${key}`)] as const,
  );
  return Object.fromEntries(settings.flatMap(([key, value]) => (value === undefined ? [] : [[key, float(value)]])));
}

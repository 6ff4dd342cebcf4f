/** @file The whole mixture as one node: the operator `MoE` of com.microsoft, for inference. */
import { nth } from "../../../checked.ts";
import { UnsupportedError } from "../../../errors.ts";
import type { Value } from "../../../ir/index.ts";
import { dimsOf, fanInUniform, type Layers, lengthOf } from "../../../nn/index.ts";
import type { Expert, MlpExpertOptions } from "../expert.ts";
import { choicesOf, type TokenChoice } from "../routing.ts";
import type { Dispatch } from "./dispatch.ts";
import { repeatRows, sumGroups, weighRows } from "./rows.ts";

/** What the operator calls the activations that it computes as ONNX does. Its gelu is an approximation of `Gelu`. */
const activations: ReadonlyMap<string, string> = new Map([
  ["Relu", "relu"],
  ["Identity", "identity"],
]);

/** Its power is 0 in float32. */
const NEVER = -1e9;

/**
 * Σ weight · E(x) over the chosen experts, in one kernel that carries rows to experts itself. Each (token, expert) pair is a row of its own
 * that the operator's softmax gives to its expert with weight 1, so that weights may be any numbers. Parameters are those of the other
 * dispatches, stacked in the graph. It has no gradient: train with another dispatch.
 *
 * @throws UnsupportedError for experts that are not an MLP over vectors, and for an activation that the operator lacks.
 */
export function moeOperator(): Dispatch {
  return {
    name: "moe-operator",
    kinds: ["token-choice"],
    hard: true,
    build(n, rows, routing, expert, experts) {
      const { mlp, activation } = operatorForm(rows, expert);
      const choice = routing as TokenChoice;
      const k = choicesOf(choice);
      const pairs = repeatRows(n, rows, k);
      const inputs = [pairs, routerOf(n, choice, experts), ...stackedExperts(n, mlp, experts, lengthOf(rows, -1))];
      const attributes = { k: 1, activation_type: activation, normalize_routing_weights: 0 };
      const answers = n.op("com.microsoft::MoE", inputs, attributes);
      const weights = n.reshape(choice.weights, [-1]);
      return { output: sumGroups(n, weighRows(n, answers, weights), k) };
    },
  };
}

function operatorForm(rows: Value, { mlp }: Expert): { readonly mlp: MlpExpertOptions; readonly activation: string } {
  const where = "dispatch moe-operator";
  if (!mlp || dimsOf(rows).length !== 2) {
    throw new UnsupportedError("the operator MoE computes MLPs over vectors", {
      expected: "an expert made by mlpExpert, rows [tokens, width]",
      got: mlp ? `rows [${dimsOf(rows).join(", ")}]` : "another expert",
      where,
    });
  }
  const name = mlp.activation ?? "Gelu";
  const activation = activations.get(name);
  if (activation) return { mlp, activation };
  const expected = [...activations.keys()].join(", ");
  throw new UnsupportedError("the operator MoE lacks the activation of the experts", { expected, got: name, where });
}

/** float32 [pairs, experts]: 0 where the pair has its expert, out of reach elsewhere. */
function routerOf(n: Layers, { experts: chosen }: TokenChoice, experts: number): Value {
  const range = n.ints(Array.from({ length: experts }, (_, e) => e));
  const isChosen = n.equal(n.reshape(chosen, [-1, 1]), range);
  return n.where(isChosen, n.number(0), n.number(NEVER));
}

/** Weights [experts, outputs, inputs] and biases [experts, outputs] of both layers. */
function stackedExperts(n: Layers, { hidden, ...options }: MlpExpertOptions, experts: number, width: number): Value[] {
  const parts = Array.from({ length: experts }, (_, e) => {
    const scope = n.scope(`expert${e}`);
    return [
      ...affine(scope.scope("in"), [width, hidden], options),
      ...affine(scope.scope("out"), [hidden, width], options),
    ];
  });
  const stack = (part: number): Value => {
    const rows = parts.map((own) => n.unsqueeze(nth(own, part), [0]));
    return experts === 1 ? nth(rows, 0) : n.concat(rows, 0);
  };
  const turned = (part: number): Value => n.transpose(stack(part), [0, 2, 1]);
  return [turned(0), stack(1), turned(2), stack(3)];
}

/** The parameters of `linear`, in its order. */
function affine(
  n: Layers,
  [fanIn, fanOut]: readonly [number, number],
  { weight = fanInUniform(fanIn), biasInitial = fanInUniform(fanIn) }: Omit<MlpExpertOptions, "hidden">,
): [weight: Value, bias: Value] {
  return [n.parameter("weight", [fanIn, fanOut], weight), n.parameter("bias", [fanOut], biasInitial)];
}

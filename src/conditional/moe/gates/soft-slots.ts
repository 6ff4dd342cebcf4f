/** @file Experts over mixtures of tokens: Puigcerver et al., "From sparse to soft mixtures of experts" (2023), arXiv:2308.00951. */
import type { Value } from "../../../ir/index.ts";
import { dimsOf, type Layers, lengthOf, normal } from "../../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate, GateInputs } from "../gate.ts";
import { checkChoices, checkExperts, softmax, unit } from "../scores.ts";

export interface SoftSlotsOptions {
  /** Slots of each expert for each sample; 1 by default. */
  readonly slots?: number;
}

const softSlotsOptionsNames: OptionNames<SoftSlotsOptions> = { slots: true };

/**
 * Scores s = scale · x̂·φ̂ of unit vectors, one column per slot. Slots are mixtures of the tokens of one sample with weights softmax(s) over
 * those tokens; each token gets back a mixture of its sample's slots' answers with weights softmax(s) over the slots. Nothing is chosen,
 * so all is differentiable; samples do not see each other.
 */
export function softSlots(options: SoftSlotsOptions = {}): Gate {
  const { slots = 1 } = checkOptions(options, softSlotsOptionsNames);
  return {
    name: "soft-slots",
    learnable: true,
    hard: false,
    build(n, inputs, experts) {
      checkExperts(experts, "soft-slots");
      checkChoices(1, slots, "soft-slots");
      const tokens = bySample(n, inputs);
      const width = lengthOf(tokens, -1);
      const columns = n.parameter("weight", [width, experts * slots], normal(1 / Math.sqrt(width)));
      const scale = n.parameter("scale", [1], () => Float32Array.of(1));
      const scores = n.mul(n.matmul(unit(n, tokens, -1), unit(n, columns, 0)), scale);
      const dispatch = softmax(n, scores, 1);
      const combine = softmax(n, scores, 2);
      return { routing: { kind: "slots", dispatch, combine }, losses: [] };
    },
  };
}

/** [samples, tokens of each, width]; a vector in the place of a sample is its only token. */
function bySample(n: Layers, { tokens, samples }: GateInputs): Value {
  if (!samples) return n.unsqueeze(tokens, [0]);
  const { length } = dimsOf(samples);
  if (length === 2) return n.unsqueeze(samples, [1]);
  return length === 3 ? samples : n.reshape(samples, [0, -1, lengthOf(samples, -1)]);
}

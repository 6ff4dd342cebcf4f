/** @file Experts over mixtures of tokens: Puigcerver et al., "From sparse to soft mixtures of experts" (2023), arXiv:2308.00951. */
import { lengthOf, normal } from "../../nn/index.ts";
import { checkOptions, type OptionNames } from "../../options.ts";
import type { Gate } from "../gate.ts";
import { checkChoices, checkExperts, softmax, unit } from "../scores.ts";

export interface SoftSlotsOptions {
  /** Slots of each expert; 1 by default. */
  readonly slots?: number;
}

const softSlotsOptionsNames: OptionNames<SoftSlotsOptions> = { slots: true };

/**
 * Scores s = scale · x̂·φ̂ of unit vectors, one column per slot. Slots are mixtures of tokens with weights softmax(s) over the tokens; each
 * token gets back a mixture of the slots' answers with weights softmax(s) over the slots. Nothing is chosen, so all is differentiable.
 */
export function softSlots(options: SoftSlotsOptions = {}): Gate {
  const { slots = 1 } = checkOptions(options, softSlotsOptionsNames);
  return {
    name: "soft-slots",
    learnable: true,
    hard: false,
    build(n, { tokens }, experts) {
      checkExperts(experts, "soft-slots");
      checkChoices(1, slots, "soft-slots");
      const width = lengthOf(tokens, -1);
      const columns = n.parameter("weight", [width, experts * slots], normal(1 / Math.sqrt(width)));
      const scale = n.parameter("scale", [1], () => Float32Array.of(1));
      const scores = n.op("Mul", [n.op("MatMul", [unit(n, tokens, 1), unit(n, columns, 0)]), scale]);
      const dispatch = softmax(n, scores, 0);
      const combine = softmax(n, scores, 1);
      return { routing: { kind: "slots", dispatch, combine }, losses: [] };
    },
  };
}

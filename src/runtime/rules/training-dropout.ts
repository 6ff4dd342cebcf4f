import type { Node } from "../../ir/index.ts";
import { DISABLED } from "./disabled-optimisers.ts";
import { hasNode } from "./has-node.ts";
import type { Rule } from "./rule.ts";

export const trainingDropout: Rule = {
  goesWrong: "the optimiser deletes Dropout in training mode unless its mask is used",
  config: (model) => (hasNode(model, isTrainingDropout) ? [DISABLED, "EliminateDropout"] : undefined),
};

/** A third input may turn training on, and an unused mask lets the optimiser delete the node. */
function isTrainingDropout(node: Node): boolean {
  return node.opType === "Dropout" && node.inputs[2] !== undefined;
}

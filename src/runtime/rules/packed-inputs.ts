import { unfetchable } from "./fetchable.ts";
import { refuseTypes } from "./refuse-types.ts";
import type { Rule } from "./rule.ts";

export const packedInputs: Rule = {
  goesWrong: "a tensor of 4-bit elements cannot be fed",
  check: (model) =>
    refuseTypes(model.graph.inputs, unfetchable, "input", "feed int8 or uint8 and cast it in the model"),
};

import { unfetchable } from "./fetchable.ts";
import { refuseTypes } from "./refuse-types.ts";
import type { Rule } from "./rule.ts";

export const packedOutputs: Rule = {
  goesWrong: "fetching a tensor of 4-bit elements ends the process",
  check: (model) => refuseTypes(model.graph.outputs, unfetchable, "output", "cast it to int8 or uint8 first"),
};

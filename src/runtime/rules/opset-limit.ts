import { UnsupportedError } from "../../errors.ts";
import { opsetOf } from "../../ir/index.ts";
import type { Rule } from "./rule.ts";

/** The highest opset whose models the runtime loads. */
export const MAX_OPSET = 26;

export const opsetLimit: Rule = {
  goesWrong: "opsets above 26 are refused only after the model was handed over",
  check(model) {
    const opset = opsetOf(model);
    if (opset <= MAX_OPSET) return;
    throw new UnsupportedError("the runtime does not know this opset", {
      expected: `at most ${MAX_OPSET}`,
      got: String(opset),
      hint: "Convert the model to opset 21 first.",
    });
  },
};

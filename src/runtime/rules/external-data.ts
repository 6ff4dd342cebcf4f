import { UnsupportedError } from "../../errors.ts";
import { externalValue } from "../external-data.ts";
import type { Rule } from "./rule.ts";

export const externalData: Rule = {
  goesWrong: "a reference to external data makes the runtime open a file that the model names",
  check(model) {
    const value = externalValue(model);
    if (value === undefined) return;
    throw new UnsupportedError("a model's tensors must be loaded before a session opens it", {
      got: "a reference to external data",
      where: value,
      hint: "Load the model with loadModel(path), which resolves external data inside its folder.",
    });
  },
};

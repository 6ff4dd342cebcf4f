import type { Rule } from "./rule.ts";

export const unknownRank: Rule = {
  goesWrong: "an unknown rank is reported as [], exactly like a scalar",
  builtInto: "ports.ts",
};

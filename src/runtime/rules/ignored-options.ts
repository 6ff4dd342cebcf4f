import type { Rule } from "./rule.ts";

export const ignoredOptions: Rule = {
  goesWrong: "unknown options and configuration entries are ignored in silence",
  builtInto: "options.ts",
};

import type { Rule } from "./rule.ts";

export const profilePrefix: Rule = {
  goesWrong: "profiling without a file prefix fails",
  builtInto: "node/backend.ts",
};

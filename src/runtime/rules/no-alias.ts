import type { Rule } from "./rule.ts";

export const noAlias: Rule = {
  goesWrong: "a buffer that is fed and fetched at once is overwritten while other nodes still read it",
  builtInto: "remote-session.ts",
};

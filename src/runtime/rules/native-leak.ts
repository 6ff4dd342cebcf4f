import type { Rule } from "./rule.ts";

export const nativeLeak: Rule = {
  goesWrong: "garbage collection does not free a session's native memory",
  builtInto: "remote-session.ts",
};

import type { Rule } from "./rule.ts";

export const blockedThread: Rule = {
  goesWrong: "a run blocks the thread that calls it, timers included",
  builtInto: "node/channels.ts",
};

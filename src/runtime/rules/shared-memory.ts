import type { Rule } from "./rule.ts";

export const sharedMemory: Rule = {
  goesWrong: "arrays over shared memory are refused as invalid arguments",
  builtInto: "feeds.ts",
};

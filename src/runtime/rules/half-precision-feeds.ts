import type { Rule } from "./rule.ts";

export const halfPrecisionFeeds: Rule = {
  goesWrong: "float16 feeds arrive empty where the platform has Float16Array",
  builtInto: "node/backend.ts",
};

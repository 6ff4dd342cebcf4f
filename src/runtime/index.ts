export { checkFeeds } from "./feeds.ts";
export { openSession } from "./open.ts";
export { applyRules, isFetchable, MAX_OPSET, type Rule, type RuleName, rules } from "./rules.ts";
export * from "./run.ts";
export * from "./session.ts";

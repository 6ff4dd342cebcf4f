import type { Rule } from "./rule.ts";

export const ignoredFeeds: Rule = {
  goesWrong: "feeds of unknown names, and feeds that would override initializers, are ignored in silence",
  builtInto: "feeds.ts",
};

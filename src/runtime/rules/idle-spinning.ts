import type { Rule } from "./rule.ts";

export const idleSpinning: Rule = {
  goesWrong: "the threads of an idle session keep spinning and slow every other session down",
  config: (_, { threads }) => (threads > 1 ? ["session.force_spinning_stop", "1"] : undefined),
  always: true,
};

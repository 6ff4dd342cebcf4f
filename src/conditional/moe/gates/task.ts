/** @file The expert follows from the task: per-task routing for networks that learn several tasks. */
import { UsageError } from "../../../errors.ts";
import { tensorFromNumbers } from "../../../ir/index.ts";
import { checkOptions, type OptionNames } from "../../../options.ts";
import type { Gate } from "../gate.ts";
import { checkExperts } from "../scores.ts";
import { fixedRoute } from "./fixed-route.ts";
import { remainder } from "./hash-words.ts";
import { idsOf } from "./token-hash.ts";

export interface TaskOptions {
  /** The expert of each task; task modulo experts without it. */
  readonly experts?: readonly number[];
}

const taskOptionsNames: OptionNames<TaskOptions> = { experts: true };

/** Needs ids, which are those of tasks. */
export function task(options: TaskOptions = {}): Gate {
  const { experts: table } = checkOptions(options, taskOptionsNames);
  return {
    name: "task",
    learnable: false,
    hard: true,
    build(n, inputs, experts) {
      checkExperts(experts, "task");
      const ids = idsOf(inputs, "task");
      if (!table) return fixedRoute(n, remainder(n, ids, experts));
      const outside = table.find((expert) => !(Number.isSafeInteger(expert) && expert >= 0 && expert < experts));
      if (outside !== undefined) {
        throw new UsageError("a task is given to an expert that is not there", {
          expected: `0 to ${experts - 1}`,
          got: String(outside),
        });
      }
      const values = n.constant("table", tensorFromNumbers("int64", [table.length], table));
      return fixedRoute(n, n.gather(values, ids, 0));
    },
  };
}
